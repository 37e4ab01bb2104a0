"""Requests for commitment in memory, and verdicts by what a small archive holds."""

from collections.abc import Callable, Sequence

from engine.errors import Missing, Unavailable
from engine.model import CommitmentRequest, Instance, Reference, Verdict


class SmallCommitments:
    """``now_seconds`` is its clock; ``full`` and ``damaged`` are for tests to set."""

    def __init__(self, rows: Callable[[], Sequence[Instance]]) -> None:
        self.now_seconds = 0.0
        self.full = False
        self.damaged: set[str] = set()
        self.requests: dict[str, CommitmentRequest] = {}
        self._rows = rows

    async def open(self, requestor: str, transaction_uid: str, references: Sequence[Reference]) -> CommitmentRequest:
        if self.full:
            raise Unavailable("too many requests for commitment are open")
        asked_us = int(self.now_seconds * 1e6)
        request = CommitmentRequest(
            requestor=requestor, transaction_uid=transaction_uid, asked_us=asked_us, references=tuple(references)
        )
        self.requests[request.name] = request
        return request

    async def left(self) -> list[CommitmentRequest]:
        return list(self.requests.values())

    async def load(self, name: str) -> CommitmentRequest:
        if name not in self.requests:
            raise Missing("the request is settled")
        return self.requests[name]

    async def settle(self, request: CommitmentRequest) -> bool:
        if self.requests.get(request.name) != request:
            return False
        del self.requests[request.name]
        return True

    def age_seconds(self, request: CommitmentRequest) -> float:
        return self.now_seconds - request.asked_us / 1e6

    async def lacks(self, references: Sequence[Reference]) -> bool:
        return "missing" in await self.judge(references)

    async def judge(self, references: Sequence[Reference]) -> list[Verdict]:
        class_of = {instance.sop_instance_uid: instance.sop_class_uid for instance in self._rows()}
        return [self._verdict(reference, class_of) for reference in references]

    def _verdict(self, reference: Reference, class_of: dict[str, str]) -> Verdict:
        if reference.sop_instance_uid not in class_of:
            return "missing"
        if class_of[reference.sop_instance_uid] != reference.sop_class_uid:
            return "conflict"
        return "failed" if reference.sop_instance_uid in self.damaged else "committed"
