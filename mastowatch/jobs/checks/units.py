"""The units: which should run and do not, and whether their watchdogs are fed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mastowatch.jobs.checks.finding import Finding
from mastowatch.jobs.checks.world import World
from mastowatch.ports.host import Unit

TARGET, API, SOCKET = "mastowatch.target", "mastowatch-api.service", "mastowatch-api.socket"
_LESS = ("mastowatch-dashboard.service", "mastowatch-stream.service")
OFTEN = 3


def check_units(world: World) -> list[Finding]:
    """Judge the units of this machine."""
    if not world.host.has_systemd():
        return [Finding("units", "note", "no systemd here, so no units are looked at", "Start the processes by hand.")]
    units = world.host.units()
    if units is None:
        return [
            Finding(
                "units", "unknown", "systemd does not answer", "The units could not be looked at.", "systemctl status"
            )
        ]
    return [*judge_units(units, set_up=_is_set_up(world)), *judge_watchdogs(units)]


def _is_set_up(world: World) -> bool:
    """Whether there is a server to watch; also where the settings can't be read, which is another matter."""
    loaded, _ = world.examined
    return loaded is None or bool(loaded.settings.instance_base)


def judge_units(units: Sequence[Unit], *, set_up: bool = True) -> list[Finding]:
    """Judge which run; one line where all is well."""
    known = [unit for unit in units if unit.loaded]
    if not known:
        return [
            Finding(
                "units", "note", "MastoWatch is not installed as a package here", "Its units are looked at where it is."
            )
        ]
    target = next((unit for unit in known if unit.name == TARGET), None)
    services = [unit for unit in known if unit.name != TARGET]
    if any(unit.enabled and not unit.condition and unit.active == "inactive" for unit in services) or (
        not set_up and not any(_runs(unit) for unit in services)
    ):
        means = "It stays off until INSTANCE_BASE and the bot's token are set up."
        return [Finding("units", "failure", "MastoWatch is not set up yet", means, "mastowatch setup")]
    if target is not None and target.active != "active" and not any(_runs(unit) for unit in services):
        means = "Nothing of it runs" + ("." if target.enabled else ", and nothing will after a boot.")
        return [Finding("units", "failure", f"{TARGET} is stopped", means, f"systemctl enable --now {TARGET}")]
    found = [finding for unit in services for finding in _judge(unit, units)]
    if target is not None and not target.enabled:
        means = "After a boot nothing of it starts."
        found.append(Finding("units", "warning", f"{TARGET} is not enabled", means, f"systemctl enable {TARGET}"))
    running = [_short(unit.name) for unit in services if _runs(unit) and unit.name != SOCKET]
    if not any(unit.name.startswith("mastowatch-worker@") and (unit.enabled or _runs(unit)) for unit in services):
        means = "On this machine no job is done; that is right only where workers run on another."
        found.append(
            Finding("units", "warning", "no worker is enabled", means, "systemctl enable --now mastowatch-worker@1")
        )
    return (
        found
        if any(one.state != "note" for one in found)
        else [Finding("units", "ok", f"run: {', '.join(running)}"), *found]
    )


def _judge(unit: Unit, units: Sequence[Unit]) -> Iterator[Finding]:
    name, state = unit.name.removesuffix(".service"), "warning" if unit.name in _LESS else "failure"
    why = f"journalctl -u {name} -n 20 --no-pager"
    if unit.active == "failed":
        first = " Mend settings and rules first, if they have a fault." if unit.result == "exit-code" else ""
        means = f"It gave up, and does not come back by itself.{first} Why, says: {why}"
        yield Finding("units", "failure", f"{name} has failed ({unit.result})", means, f"systemctl restart {name}")
    elif unit.sub == "auto-restart":
        means = "It ends as soon as it has started; its journal says why."
        yield Finding("units", "failure", f"{name} ends again and again ({unit.restarts} restarts)", means, why)
    elif unit.active in ("activating", "reloading", "deactivating"):
        says = f"{name} is {unit.active}" + (f": {unit.says[:120]}" if unit.says else "")
        yield Finding("units", "warning", says, "It is on its way; if it stays so, its journal says why.", why)
    elif unit.active != "active" and unit.enabled and not _on_demand(unit, units):
        means = f"It is enabled, and somebody has stopped it. {_does(unit.name)}"
        yield Finding("units", state, f"{name} is stopped", means, f"systemctl start {name}")  # type: ignore[arg-type]
    elif unit.stopped:
        means = (
            f"A signal (SIGSTOP) holds it; its watchdog ends that within {unit.watchdog_s:.0f} s. {_does(unit.name)}"
        )
        yield Finding("units", "failure", f"{name} stands still", means, f"systemctl kill -s CONT {name}")
    elif unit.restarts > OFTEN:
        means = "systemd had to start it again; its journal says why it ended."
        yield Finding("units", "warning", f"{name} was started again {unit.restarts} times", means, why)
    elif unit.restarts:
        times = "once" if unit.restarts == 1 else f"{unit.restarts} times"
        yield Finding("units", "note", f"{name} was started again {times}", "Its journal says why it ended.", why)


def _does(unit: str) -> str:
    if "worker" in unit:
        return "Its jobs wait, unless other workers do them."
    if "scheduler" in unit:
        return "Nothing is polled, unless another scheduler leads."
    if "stream" in unit:
        return "The public timeline is polled instead."
    return "Nobody can look, and webhooks wait." if "api" in unit else "Nobody can look."


def _on_demand(unit: Unit, units: Sequence[Unit]) -> bool:
    """Whether it starts with the first request."""
    return unit.name == API and any(one.name == SOCKET and one.active == "active" for one in units)


def _runs(unit: Unit) -> bool:
    return unit.active == "active"


def _short(name: str) -> str:
    return name.removeprefix("mastowatch-").removesuffix(".service")


def judge_watchdogs(units: Sequence[Unit]) -> list[Finding]:
    """Judge whether each that runs shows life; each is asked four times within its patience."""
    services = [unit for unit in units if unit.name.endswith(".service") and _runs(unit)]
    found = list(_watchdogs(services))
    if found or not services:
        return found
    patience = min(unit.watchdog_s for unit in services)
    return [Finding("watchdogs", "ok", f"{len(services)} fed, the shortest patience is {patience:.0f} s")]


def _watchdogs(services: Sequence[Unit]) -> Iterator[Finding]:
    for unit in services:
        name = unit.name.removesuffix(".service")
        if not unit.watchdog_s:
            means = "If it hangs nobody restarts it; a drop-in has switched its watchdog off."
            yield Finding("watchdogs", "warning", f"{name} has no watchdog", means, f"systemctl cat {name}")
        elif unit.fed_s is not None and unit.fed_s > unit.watchdog_s / 2:
            means = f"It hangs, or this machine is very busy; after {unit.watchdog_s:.0f} s systemd starts it anew."
            says = f"{name} has shown no life for {unit.fed_s:.0f} s"
            yield Finding("watchdogs", "warning", says, means, f"systemctl status {name}")
