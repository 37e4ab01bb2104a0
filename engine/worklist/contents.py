"""What a worklist holds, in memory: the fold of its table."""

from collections.abc import Iterator

from engine.worklist.states import State
from engine.worklist.workitem import Global, Subscription, Workitem, parse


class Contents:
    """Workitems by UID, subscriptions to them by UID and AE title, and those to all by AE title."""

    def __init__(self) -> None:
        self.workitems: dict[str, Workitem] = {}
        self.globals: dict[str, Global] = {}
        self.size_bytes = 0
        self.subscription_count = 0
        self._subscriptions: dict[str, dict[str, Subscription]] = {}

    def clear(self) -> None:
        """Nothing is known."""
        self.workitems.clear()
        self.globals.clear()
        self._subscriptions.clear()
        self.size_bytes = self.subscription_count = 0

    def take(self, name: str, body: bytes | None) -> None:
        """One row of the table. Raises Corrupt."""
        stored, kept = parse(name, body)
        if stored.kind == "workitem":
            before = self.workitems.pop(stored.uid, None) if kept is None else self.workitems.get(stored.uid)
            self.size_bytes -= len(before.data) if before is not None else 0
            if isinstance(kept, Workitem):
                self.workitems[stored.uid] = kept
                self.size_bytes += len(kept.data)
        elif stored.kind == "global":
            self.globals.pop(stored.ae_title, None)
            if isinstance(kept, Global):
                self.globals[stored.ae_title] = kept
        else:
            self._subscribe(stored.uid, stored.ae_title, kept if isinstance(kept, Subscription) else None)

    def state(self, uid: str) -> State | None:
        """None: there is no such workitem."""
        found = self.workitems.get(uid)
        return None if found is None else found.state

    def subscriptions(self, uid: str) -> dict[str, Subscription]:
        """To one workitem, by AE title."""
        return self._subscriptions.get(uid, {})

    def followed(self, ae_title: str) -> Iterator[str]:
        """The workitems that an AE is subscribed to."""
        return (uid for uid, there in self._subscriptions.items() if ae_title in there)

    def _subscribe(self, uid: str, ae_title: str, subscription: Subscription | None) -> None:
        there = self._subscriptions.setdefault(uid, {})
        self.subscription_count -= ae_title in there
        there.pop(ae_title, None)
        if subscription is not None:
            there[ae_title] = subscription
            self.subscription_count += 1
        elif not there:
            del self._subscriptions[uid]
