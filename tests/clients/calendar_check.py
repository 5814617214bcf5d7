"""Reads one .ics file and prints what each of two independent parsers sees in it, one JSON object a line.

Serves tests/ (security.md S13): both parsers show an injected ATTENDEE or URL if our escaping is wrong.
It knows nothing of Admit: the caller compares the lines with what it asked for.
"""

import json
import sys
from datetime import datetime, timedelta, timezone

import icalendar
import vobject


def utc(instant: datetime) -> str:
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(span: timedelta) -> str:
    minutes, seconds = divmod(abs(int(span.total_seconds())), 60)
    sign = "-" if span < timedelta(0) else ""
    return f"{sign}PT{minutes}M" if seconds == 0 else f"{sign}PT{minutes * 60 + seconds}S"


def only(found: list, what: str):
    if len(found) != 1:
        raise SystemExit(f"{len(found)} {what} where there must be one")
    return found[0]


def with_icalendar(data: bytes) -> dict:
    calendar = only(icalendar.Calendar.from_ical(data, multiple=True), "VCALENDAR")
    event = only([part for part in calendar.subcomponents if part.name == "VEVENT"], "VEVENT")
    if event.errors or calendar.errors:
        raise SystemExit(f"icalendar: {calendar.errors} {event.errors}")
    alarms = [part for part in event.subcomponents if part.name == "VALARM"]
    return {
        "method": str(calendar["METHOD"]),
        "uid": str(event["UID"]),
        "summary": str(event["SUMMARY"]),
        "description": str(event["DESCRIPTION"]),
        "location": str(event["LOCATION"]),
        "url": str(event["URL"]),
        "start": utc(event["DTSTART"].dt),
        "end": utc(event["DTEND"].dt),
        "sequence": int(event["SEQUENCE"]),
        "status": str(event["STATUS"]),
        "alarm": duration(only(alarms, "VALARM")["TRIGGER"].dt) if alarms else None,
        "names": sorted(name for name, _ in event.property_items(recursive=False) if name not in ("BEGIN", "END")),
    }


def with_vobject(data: bytes) -> dict:
    calendar = only(list(vobject.readComponents(data.decode("utf-8"))), "VCALENDAR")
    event = only([part for part in calendar.components() if part.name == "VEVENT"], "VEVENT")
    alarms = [part for part in event.components() if part.name == "VALARM"]
    return {
        "method": calendar.method.value,
        "uid": event.uid.value,
        "summary": event.summary.value,
        "description": event.description.value,
        "location": event.location.value,
        "url": event.url.value,
        "start": utc(event.dtstart.value),
        "end": utc(event.dtend.value),
        "sequence": int(event.sequence.value),
        "status": event.status.value,
        "alarm": duration(only(alarms, "VALARM").trigger.value) if alarms else None,
        "names": sorted(line.name for line in event.lines()),
    }


def main() -> None:
    with open(sys.argv[1], "rb") as file:
        data = file.read()
    for parser, read in (("icalendar", with_icalendar), ("vobject", with_vobject)):
        print(json.dumps({"parser": parser, **read(data)}))


if __name__ == "__main__":
    main()
