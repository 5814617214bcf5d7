"""What the program is made of: an SBOM (CycloneDX 1.5) and the licences of everything compiled in.

Reads what `cargo metadata` says and what lies in cargo's own folder; the network is not asked. Only what is linked
counts: crates that are needed for tests are left out, those that run while it is built are marked so.
"""

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import re
import tomllib
import uuid

NOTICE = re.compile(r"^(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("metadata", "lock", "binary", "version", "sbom", "licenses"):
        arguments.add_argument(f"--{name}", required=True)
    asked = arguments.parse_args()
    metadata = json.loads(pathlib.Path(asked.metadata).read_text())
    parts = Parts(metadata, checksums(asked.lock))
    digest = hashlib.sha256(pathlib.Path(asked.binary).read_bytes()).hexdigest()
    sbom = json.dumps(parts.sbom(asked.version, digest), indent=2, sort_keys=True)
    pathlib.Path(asked.sbom).write_text(sbom + "\n")
    pathlib.Path(asked.licenses).write_text(parts.licenses())


def checksums(lock):
    """SHA-256 of every crate's archive, by name and version."""
    packages = tomllib.loads(pathlib.Path(lock).read_text())["package"]
    return {(p["name"], p["version"]): p["checksum"] for p in packages if "checksum" in p}


class Parts:
    def __init__(self, metadata, checksums):
        self.checksums = checksums
        self.packages = {package["id"]: package for package in metadata["packages"]}
        self.edges = {
            node["id"]: [(dep["pkg"], {kind["kind"] for kind in dep["dep_kinds"]}) for dep in node["deps"]]
            for node in metadata["resolve"]["nodes"]
        }
        self.root = metadata["resolve"]["root"]
        self.linked = self.reached({None})
        self.all = self.reached({None, "build"})

    def reached(self, kinds):
        """Every crate the program needs by dependencies of these kinds. A macro is linked into nothing."""
        found, open_ends = set(), [self.root]
        while open_ends:
            package = open_ends.pop()
            if package in found:
                continue
            found.add(package)
            for other, through in self.edges[package]:
                if through & kinds and ("build" in kinds or not self.is_macro(other)):
                    open_ends.append(other)
        return found

    def is_macro(self, package):
        return any("proc-macro" in target["kind"] for target in self.packages[package]["targets"])

    def others(self):
        """All but ourselves, by name and version."""
        found = [self.packages[package] for package in self.all if package != self.root]
        return sorted(found, key=lambda package: (package["name"], package["version"]))

    def sbom(self, version, digest):
        when = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC)
        components = [self.component(package) for package in self.others()]
        identity = json.dumps([version, digest, [part["bom-ref"] for part in components]])
        root = self.packages[self.root]
        return {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, identity)}",
            "version": 1,
            "metadata": {
                "timestamp": when.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "component": {
                    "type": "application",
                    "bom-ref": reference(root),
                    "name": root["name"],
                    "version": version,
                    "description": root["description"],
                    "licenses": [{"expression": root["license"]}],
                    "hashes": [{"alg": "SHA-256", "content": digest}],
                    "purl": reference(root),
                },
            },
            "components": components,
            "dependencies": [self.dependencies(self.packages[package]) for package in sorted(self.all)],
        }

    def component(self, package):
        part = {
            "type": "library",
            "bom-ref": reference(package),
            "name": package["name"],
            "version": package["version"],
            "purl": reference(package),
            # What only runs while the program is built is not in it.
            "scope": "required" if package["id"] in self.linked else "excluded",
        }
        if package.get("license"):
            # Before SPDX, crates separated alternatives by a slash.
            part["licenses"] = [{"expression": re.sub(r"\s*/\s*", " OR ", package["license"])}]
        checksum = self.checksums.get((package["name"], package["version"]))
        if checksum:
            part["hashes"] = [{"alg": "SHA-256", "content": checksum}]
        if package.get("repository"):
            part["externalReferences"] = [{"type": "vcs", "url": package["repository"]}]
        return part

    def dependencies(self, package):
        needed = {other for other, kinds in self.edges[package["id"]] if other in self.all and kinds & {None, "build"}}
        return {
            "ref": reference(package),
            "dependsOn": sorted(reference(self.packages[other]) for other in needed),
        }

    def licenses(self):
        """Each text once, under the names of all it belongs to."""
        texts = {}
        for package in self.others():
            if package["id"] not in self.linked:
                continue
            named = f"{package['name']} {package['version']} ({package.get('license') or 'see the text'})"
            found = notices(pathlib.Path(package["manifest_path"]).parent)
            if not found:
                found = ["(brings no text of its own: the licence is the one named above)\n"]
            for text in found:
                texts.setdefault(text, []).append(named)
        rule = "=" * 100
        return "".join(f"{rule}\n" + "\n".join(names) + f"\n{rule}\n\n{text}\n" for text, names in texts.items())


def reference(package):
    return f"pkg:cargo/{package['name']}@{package['version']}"


def notices(folder):
    """The texts of licences and notices in a crate's first folders."""
    files = [path for pattern in ("*", "*/*") for path in folder.glob(pattern) if path.is_file() and NOTICE.match(path.name)]
    texts = {path.read_text(errors="replace").replace("\r\n", "\n") for path in files if path.suffix not in (".rs", ".toml")}
    return sorted(texts)


main()
