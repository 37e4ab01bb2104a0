"""The commands, by name. Each module is loaded when its command is called, so that ``--help`` is quick."""

from cyclopts import App, Parameter

import filmroom

app = App(
    name="filmroom",
    help="An open cloud PACS: a DICOM archive that runs with one command.",
    version=lambda: str(filmroom.__version__),
    backend="trio",
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative="", show_default=False),
)
aet = App(name="aet", help="Known DICOM peers: add, ls, rm, test.")
token = App(name="token", help="Tokens that open the web's door: new, ls, rm.")
viewer = App(name="viewer", help="The OHIF viewer at /ohif/: install, status, rm.")
config = App(name="config", help="Settings: show, schema, init.")

_COMMANDS = (
    (app, "serve", "Run a node: DIMSE on 11112, DICOMweb on 8080. No configuration needed.", "serving:serve"),
    (app, "demo", "Serve a temporary folder with five generated studies.", "demo:demo"),
    (
        app,
        "import",
        "Load files, folders, zips or a DICOMDIR; run it again to go on. Exit 1 when a file could not be kept.",
        "files:import_",
    ),
    (
        app,
        "export",
        "Write matching studies as files. Exit 1 when one is lost or damaged.",
        "files:export",
    ),
    (
        app,
        "send",
        "Send matching studies to a known peer by C-STORE. Exit 1 when one was not sent.",
        "sending:send",
    ),
    (app, "find", "Search studies, series or instances. Nothing found is exit 0.", "search:find"),
    (
        app,
        "rm",
        "Delete (asks; --yes), restorable for store.grace_days. Exit 1 when nothing matched.",
        "removal:rm",
    ),
    (app, "restore", "Bring back what was deleted. Exit 1 when nothing matched.", "removal:restore"),
    (app, "versions", "What was kept under one SOP Instance UID; make one of them current.", "removal:versions"),
    (app, "verify", "Re-read the store: journal, objects, index against truth. Exit 1 on damage.", "care:verify"),
    (
        app,
        "reindex",
        "Rebuild the index from the journal; a running node stays up. Exit 1 on damage.",
        "care:reindex",
    ),
    (
        app,
        "doctor",
        "Check ports, clock, disk, syncs and limits; says the fix. Exit 1 when one is bad.",
        "doctor:doctor",
    ),
    (
        app,
        "conformance",
        "Ask any DICOM and DICOMweb server the statements of docs/conformance.md. Exit 1 when one fails.",
        "conformance:conformance",
    ),
    (app, "status", "What runs, what is kept, what waits.", "care:status"),
    (app, "completion", "Shell completion: completion bash, zsh or fish.", "completion:completion"),
    (aet, "add", "Make a peer known, or change it.", "aet:add"),
    (aet, "ls", "List known peers.", "aet:ls"),
    (aet, "rm", "Forget a peer.", "aet:rm"),
    (aet, "test", "C-ECHO to a known peer. Exit 1 when it does not answer.", "aet:test"),
    (token, "new", "Make a token; it is shown once.", "token:new"),
    (token, "ls", "List tokens: names, scopes, expiry.", "token:ls"),
    (token, "rm", "End a token at once.", "token:rm"),
    (viewer, "install", "Fetch OHIF from npm (or --from FILE), check it, lay it down.", "viewer:install"),
    (viewer, "status", "Whether it is installed, and where. Exit 1 when it is not.", "viewer:status"),
    (viewer, "rm", "Take it away.", "viewer:rm"),
    (config, "show", "Each setting, its value and where it came from.", "config:show"),
    (config, "schema", "JSON schema of filmroom.toml.", "config:schema"),
    (config, "init", "A filmroom.toml with every setting, to standard output.", "config:init"),
)

for _app, _name, _help, _place in _COMMANDS:
    _app.command(f"filmroom.commands.{_place}", name=_name, help=_help)
# Its words and its help are read by the bench itself: `python -m bench` takes the same.
app.command(
    "filmroom.commands.bench:bench",
    name="bench",
    help="The paper's measurements, of this archive and others. Exit 1 below --fail-under.",
    help_flags=(),
)
app.command(aet)
app.command(token)
app.command(viewer)
app.command(config)
