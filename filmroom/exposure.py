"""Whether a node may be served as its settings say, and what the web's door asks of those who come."""

from engine import Invalid
from filmroom.settings import Settings
from protocols.web import is_loopback, networks


def is_local(settings: Settings) -> bool:
    """Whether only this machine can connect."""
    return is_loopback(settings.serve.host)


def is_encrypted(settings: Settings) -> bool:
    """Whether the HTTP port speaks TLS."""
    return bool(settings.tls.certificate)


def needs_tokens(settings: Settings) -> bool:
    """Whether requests need a token: where others can connect, and where TLS says that they are meant to."""
    rule = settings.serve.tokens
    return rule == "required" or (rule == "auto" and (not is_local(settings) or is_encrypted(settings)))


def check(settings: Settings) -> None:
    """Raises Invalid, with what to do, when a network would see patient data that nothing protects, or when it is not
    clear which proxies are meant."""
    networks(settings.serve.trusted_proxies)
    if is_local(settings) or settings.serve.insecure:
        return
    host = settings.serve.host
    if not is_encrypted(settings):
        raise Invalid(
            f"--host {host} would serve patient data to a network in the clear: give it a certificate "
            "(--tls-cert FILE --tls-key FILE); for a network that you trust: --insecure"
        )
    if not needs_tokens(settings):
        raise Invalid(
            f'--host {host} with serve.tokens = "off" would serve patient data to anybody: leave it at "auto" '
            "and make a token with `filmroom token new NAME`; for a network that you trust: --insecure"
        )
