"""Deleting over the web: C48."""

from bench.statements.statement import WEB, WRITE, Family, Untried, holds, same
from bench.statements.subject import Subject

family = Family()
states = family.states


@states("C48", needs={WEB, WRITE})
async def deleting(subject: Subject) -> None:
    """DELETE of an instance, a series, a study: 200 or 204, and gone; of what is not there: 404."""
    made = subject.fresh(2)
    await subject.store(made)
    study = f"/studies/{made[0].study}"
    first = await subject.web.ask("DELETE", made[0].path)
    if first.status in (403, 405):
        raise Untried(f"it does not let us delete ({first.status})")
    first.expect(200, 204)
    same(len(await subject.web.rows(f"{study}/instances")), 1, "instances left of two")
    (await subject.web.ask("DELETE", f"{study}/series/{made[0].series}")).expect(200, 204)
    await subject.store(made)
    (await subject.web.ask("DELETE", study)).expect(200, 204)
    same(await subject.web.rows(f"/studies?StudyInstanceUID={made[0].study}"), [], "found after DELETE")
    absent = await subject.web.ask("DELETE", f"/studies/{subject.run.root}.404")
    holds(absent.status == 404, f"DELETE of a study that is not there: {absent.status}")
