"""A folder as a whole: what is new, what stays, and what is said about the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from frrsync.core.model import NamespacedName, Origin
from frrsync.directory.reader import MAX_SIZE
from frrsync.directory.store import ManifestStore, check_paths
from frrsync.errors import ConfigError

if TYPE_CHECKING:
    from frrsync.core.model import Mistake, Snapshot
    from frrsync.directory.store import DirectoryState


def service(name: str, port: int = 80) -> str:
    """Return the text of a Service."""
    return (
        f"apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  type: LoadBalancer\n"
        f"  ports:\n    - port: {port}\n"
    )


def pool(name: str, addresses: str = "192.0.2.0/24") -> str:
    """Return the text of an IPAddressPool."""
    return (
        f"apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata:\n  name: {name}\nspec:\n"
        f"  addresses: [{addresses}]\n"
    )


def endpoint_slice(name: str, service_name: str) -> str:
    """Return the text of an EndpointSlice."""
    return (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n"
        f"  name: {name}\n  labels: {{kubernetes.io/service-name: {service_name}}}\n"
        "addressType: IPv4\nendpoints: [{addresses: [10.0.0.1]}]\n"
    )


def join(*texts: str) -> str:
    """Return the documents as one file."""
    return "---\n".join(texts)


def web(state: DirectoryState, name: str = "web") -> object:
    """Return one Service of a state."""
    return state.snapshot.services[NamespacedName("default", name)]


def port_of(state: DirectoryState, name: str = "web") -> int:
    """Return the port of one Service."""
    return state.snapshot.services[NamespacedName("default", name)].ports[0].port


def only(state: DirectoryState) -> Mistake:
    """Return the one mistake of a state."""
    assert len(state.mistakes) == 1, f"expected one mistake, found {[str(item) for item in state.mistakes]}"
    return state.mistakes[0]


def test_every_kind_of_file_is_read_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    """YAML and JSON, lists and subfolders count; hidden files, backups and other endings do not."""
    (tmp_path / "deeper" / "still").mkdir(parents=True)
    (tmp_path / "a.yaml").write_text(join(service("one"), service("two")))
    (tmp_path / "deeper" / "b.yml").write_text(service("three"))
    listed = {"apiVersion": "v1", "kind": "List", "items": [json_service("four"), json_service("five")]}
    (tmp_path / "deeper" / "still" / "c.json").write_text(json.dumps(listed, indent=1))
    bare = {name: value for name, value in json_service("six").items() if name not in {"apiVersion", "kind"}}
    typed = {"apiVersion": "v1", "kind": "ServiceList", "items": [bare]}
    (tmp_path / "d.yaml").write_text(json.dumps(typed))
    for name in (".hidden.yaml", "e.yaml~", ".e.yaml.swp", "#e.yaml#", "e.yaml.bak", "notes.txt"):
        (tmp_path / name).write_text("{ broken")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "f.yaml").write_text(service("seven"))
    state = ManifestStore([tmp_path]).rescan()
    assert not state.mistakes, f"expected no mistake, found {[str(item) for item in state.mistakes]}"
    names = sorted(name.name for name in state.snapshot.services)
    assert names == ["five", "four", "one", "six", "three", "two"], f"found {names}"
    assert state.files == 4


def json_service(name: str) -> dict[str, object]:
    """Return a Service as plain data."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}}


def test_objects_know_where_their_text_stands(tmp_path: Path) -> None:
    """File and first line, also within a list and after the text above has changed."""
    file = tmp_path / "a.yaml"
    file.write_text(join(service("one"), service("two")))
    (tmp_path / "b.json").write_text(
        json.dumps({"apiVersion": "v1", "kind": "List", "items": [json_service("three")]}, indent=1)
    )
    store = ManifestStore([tmp_path])
    state = store.rescan()
    found = {name.name: item.meta.origin for name, item in state.snapshot.services.items()}
    expected = {
        "one": Origin(file=str(file), line=1),
        "two": Origin(file=str(file), line=10),
        "three": Origin(file=str(tmp_path / "b.json"), line=5),
    }
    assert found == expected, f"expected {expected}, found {found}"
    file.write_text("# a line more\n---\n" + join(service("one"), service("two")))
    after = store.update([file])
    assert after.snapshot is state.snapshot, "expected the same snapshot: no object changed"
    found = {name.name: item.meta.origin for name, item in after.snapshot.services.items()}
    assert found["two"].line == 12, f"expected line 12, found {found['two']}"


def test_what_did_not_change_is_the_same_object(tmp_path: Path) -> None:
    """Decisions are kept as long as what they read is identical."""
    (tmp_path / "a.yaml").write_text(join(service("web"), service("api")))
    (tmp_path / "b.yaml").write_text(pool("main"))
    store = ManifestStore([tmp_path])
    first = store.rescan()
    (tmp_path / "a.yaml").write_text(join(service("web", 81), service("api")))
    second = store.update([tmp_path / "a.yaml"])
    assert second.version > first.version
    assert (port_of(first), port_of(second)) == (80, 81)
    assert web(second, "api") is web(first, "api")
    assert second.snapshot.pools is first.snapshot.pools
    os.utime(tmp_path / "a.yaml", (1, 1))
    assert store.rescan() is second, "expected the same state after a change of time only"


def test_a_renamed_file_changes_nothing(tmp_path: Path) -> None:
    """The objects of a renamed file are still the same ones, at another place."""
    (tmp_path / "a.yaml").write_text(service("web"))
    store = ManifestStore([tmp_path])
    first = store.rescan()
    (tmp_path / "a.yaml").rename(tmp_path / "b.yaml")
    second = store.update([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert second.snapshot is first.snapshot
    origin = second.snapshot.services[NamespacedName("default", "web")].meta.origin
    assert origin == Origin(file=str(tmp_path / "b.yaml"), line=1), f"found {origin}"


def test_a_deleted_file_takes_its_objects_along(tmp_path: Path) -> None:
    """By an event as by a look at the folder."""
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.yaml").write_text(service(name))
    store = ManifestStore([tmp_path])
    store.rescan()
    (tmp_path / "a.yaml").unlink()
    assert len(store.update([tmp_path / "a.yaml"]).snapshot.services) == 2
    (tmp_path / "b.yaml").unlink()
    state = store.rescan()
    assert [name.name for name in state.snapshot.services] == ["c"]
    assert state.files == 1


def test_an_object_with_a_mistake_keeps_its_last_good_state(tmp_path: Path) -> None:
    """Only that object is held; the others of the file go on, and the mistake goes when it is corrected."""
    file = tmp_path / "a.yaml"
    file.write_text(join(service("web"), service("api")))
    store = ManifestStore([file.parent])
    first = store.rescan()
    file.write_text(join(service("web", 0), service("api", 443)))
    second = store.update([file])
    assert web(second) is web(first)
    assert port_of(second, "api") == 443
    assert only(second).field == "spec.ports[0].port"
    file.write_text(service("api", 443))
    third = store.update([file])
    assert [name.name for name in third.snapshot.services] == ["api"], "expected that what was taken out is gone"
    assert not third.mistakes


@pytest.mark.parametrize("broken", ["spec: [", "metadata: {name: 5}\nspec: {ports: [{port: 80}]}", "\tx: 1"])
def test_broken_text_holds_what_it_may_have_been(tmp_path: Path, broken: str) -> None:
    """Nobody can tell whose text it was, so nothing of that file is taken away; what is sound still counts."""
    file = tmp_path / "a.yaml"
    file.write_text(join(service("web"), service("api")))
    store = ManifestStore([tmp_path])
    first = store.rescan()
    head = "apiVersion: v1\nkind: Service\n"
    file.write_text(join(head + broken + "\n", service("api", 443), service("new")))
    second = store.update([file])
    assert sorted(name.name for name in second.snapshot.services) == ["api", "new", "web"]
    assert web(second) is web(first)
    assert port_of(second, "api") == 443
    assert only(second).file == str(file)
    file.write_text(join(service("api", 443), service("new")))
    third = store.update([file])
    assert sorted(name.name for name in third.snapshot.services) == ["api", "new"]
    assert not third.mistakes


def test_a_broken_file_at_the_start_gives_what_is_sound(tmp_path: Path) -> None:
    """Documents before and after the broken one count; there is no last good state yet."""
    (tmp_path / "a.yaml").write_text(join(service("one"), "a: [\n", service("two")))
    state = ManifestStore([tmp_path]).rescan()
    assert sorted(name.name for name in state.snapshot.services) == ["one", "two"]
    assert only(state).line == 10, f"found {only(state)}"


def test_a_message_names_the_lines_of_the_file(tmp_path: Path) -> None:
    """Also those within its text, and also after the broken part has moved."""
    file = tmp_path / "a.yaml"
    store = ManifestStore([tmp_path])
    for above in (1, 2):
        file.write_text(join(*[service(f"web-{number}") for number in range(above)], "a:\n  - [1,\n     2\n"))
        found = only(store.update([file]))
        assert found.line == 9 * above + 3, f"expected line {9 * above + 3}, found {found}"
        assert found.message.endswith(f"that starts in line {9 * above + 2}"), f"found {found}"


def test_of_two_texts_the_first_known_counts(tmp_path: Path) -> None:
    """At the start by name of file; later whoever was there first; the other takes over when that one goes."""
    (tmp_path / "b.yaml").write_text(service("web", 81))
    (tmp_path / "c.yaml").write_text("# c\n" + service("web", 82))
    store = ManifestStore([tmp_path])
    first = store.rescan()
    assert port_of(first) == 81
    assert str(only(first)) == (
        f"{tmp_path}/c.yaml:2: Service default/web: metadata.name: the same object stands in {tmp_path}/b.yaml:1 too,"
        " which counts"
    )
    (tmp_path / "a.yaml").write_text(service("web", 80))
    second = store.update([tmp_path / "a.yaml"])
    assert port_of(second) == 81, "expected that the known one stays"
    assert len(second.mistakes) == 2
    (tmp_path / "b.yaml").unlink()
    third = store.update([tmp_path / "b.yaml"])
    assert port_of(third) in {80, 82}
    assert len(third.mistakes) == 1


def test_a_text_that_comes_twice_in_one_file_is_a_duplicate(tmp_path: Path) -> None:
    """Even if the two are the same to the letter; and the known one stays when another is put before it."""
    file = tmp_path / "a.yaml"
    file.write_text(join(service("web"), service("web")))
    store = ManifestStore([tmp_path])
    first = store.rescan()
    assert only(first).line == 10, f"found {only(first)}"
    file.write_text(join(service("web", 81), service("web")))
    second = store.update([file])
    assert web(second) is web(first)
    assert only(second).line == 1, f"found {only(second)}"


def test_an_object_that_moved_to_another_file_is_not_held_by_the_broken_one(tmp_path: Path) -> None:
    """A sound text counts more than the last good state of a broken one."""
    (tmp_path / "a.yaml").write_text(service("web"))
    store = ManifestStore([tmp_path])
    store.rescan()
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text(service("web", 81))
    state = store.update([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert port_of(state) == 81
    assert "broken YAML" in only(state).message


def test_a_vanished_folder_leaves_everything_in_force(tmp_path: Path) -> None:
    """A mount that is gone is a mistake and no order to withdraw; it is over when the folder is back."""
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "a.yaml").write_text(service("web"))
    store = ManifestStore([folder])
    first = store.rescan()
    folder.rename(tmp_path / "away")
    for state in (store.rescan(), store.update([folder / "a.yaml"])):
        assert state.snapshot is first.snapshot
        assert only(state).file == str(folder)
        assert "stays in force" in only(state).message
    (tmp_path / "away").rename(folder)
    state = store.rescan()
    assert not state.mistakes
    assert state.snapshot is first.snapshot


@pytest.mark.parametrize("text", ["", " \n\n", "---\n# nothing yet\n"])
@pytest.mark.parametrize("by_event", [True, False])
def test_an_emptied_file_keeps_its_objects(tmp_path: Path, text: str, by_event: bool) -> None:
    """A shell empties the file before the program writes it; the objects go with the file, or by other text."""
    file = tmp_path / "a.yaml"
    file.write_text(service("web"))
    store = ManifestStore([tmp_path])
    first = store.rescan()
    file.write_text(text)
    second = store.update([file]) if by_event else store.rescan()
    assert second.snapshot is first.snapshot, f"expected nothing withdrawn, found {second.snapshot.services}"
    expected = f"{file}: is empty, what was read before stays in force; delete the file to remove its objects"
    assert str(only(second)) == expected, f"expected {expected}, found {only(second)}"
    assert store.update([file]) is second, "expected the same after another look"
    file.write_text(service("api"))
    third = store.update([file])
    assert [name.name for name in third.snapshot.services] == ["api"]
    assert not third.mistakes
    file.write_text(text)
    store.update([file])
    file.unlink()
    last = store.update([file])
    assert (len(last.snapshot.services), last.mistakes) == (0, ())


def test_an_empty_list_and_an_empty_new_file_are_sound(tmp_path: Path) -> None:
    """A List without items says that there are none; a file that held nothing has nothing to lose."""
    file = tmp_path / "a.yaml"
    file.write_text(service("web"))
    (tmp_path / "b.yaml").write_text("")
    store = ManifestStore([tmp_path])
    store.rescan()
    file.write_text("apiVersion: v1\nkind: List\nitems: []\n")
    state = store.update([file, tmp_path / "b.yaml"])
    assert (len(state.snapshot.services), state.mistakes) == (0, ())


def test_a_folder_that_may_not_be_looked_into_is_no_deletion(tmp_path: Path) -> None:
    """Neither below it nor behind a link to it; the agent goes on with what it read, and tells."""
    program = """
import os, pathlib, sys
from frrsync.directory.store import ManifestStore
folder = pathlib.Path(sys.argv[1])
os.chdir("/")
store = ManifestStore([folder / "manifests"])
store.rescan()
os.chmod(folder / "manifests" / "sub", 0)
os.chmod(folder / "elsewhere", 0)
os.seteuid(65534)
for look in (
    lambda: store.update([folder / "manifests" / "sub" / "a.yaml", folder / "manifests" / "link" / "b.yaml"]),
    store.rescan,
):
    state = look()
    print(sorted(name.name for name in state.snapshot.services), any("denied" in str(m) for m in state.mistakes))
os.seteuid(0)
os.chmod(folder / "manifests", 0)
os.seteuid(65534)
state = store.update([folder / "manifests" / "c.yaml"])
print(sorted(name.name for name in state.snapshot.services), any("denied" in str(m) for m in state.mistakes))
"""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own is closed to other users
        top = Path(name)
        top.chmod(0o755)
        (top / "manifests" / "sub").mkdir(parents=True)
        (top / "elsewhere" / "deep").mkdir(parents=True)
        (top / "manifests" / "link").symlink_to(top / "elsewhere" / "deep")
        (top / "manifests" / "sub" / "a.yaml").write_text(service("a"))
        (top / "elsewhere" / "deep" / "b.yaml").write_text(service("b"))
        (top / "manifests" / "c.yaml").write_text(service("c"))
        command = [sys.executable, "-c", program, name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # text of our own
    expected = ["['a', 'b', 'c'] True"] * 3
    assert done.stdout.splitlines() == expected, f"expected {expected}, found {done.stdout}{done.stderr}"


def test_another_folder_without_files_is_taken_for_an_unmounted_one(tmp_path: Path) -> None:
    """What is below a mount point is empty; the same folder without its files is a deletion."""
    folder, below, mounted = tmp_path / "manifests", tmp_path / "below", tmp_path / "mounted"
    folder.mkdir()
    below.mkdir()
    (folder / "a.yaml").write_text(service("web"))
    store = ManifestStore([folder])
    first = store.rescan()
    folder.rename(mounted)
    below.rename(folder)
    for state in (store.rescan(), store.update([folder / "a.yaml"]), store.rescan()):
        assert state.snapshot is first.snapshot, f"expected nothing withdrawn, found {state.snapshot.services}"
        assert only(state).file == str(folder)
        assert "perhaps unmounted; what was read before stays in force" in only(state).message, f"found {only(state)}"
    folder.rename(below)
    mounted.rename(folder)
    back = store.rescan()
    assert (back.snapshot, back.mistakes) == (first.snapshot, ())
    (folder / "a.yaml").unlink()
    last = store.rescan()
    assert (len(last.snapshot.services), last.mistakes) == (0, ())
    folder.rename(mounted)
    below.rename(folder)
    assert not store.rescan().mistakes, "expected that nothing held means nothing kept"


def test_slices_are_found_by_their_service(tmp_path: Path) -> None:
    """Sorted by name; a slice whose label changes goes over, and a Service without slices has no entry."""
    for name, target in (("b", "web"), ("a", "web"), ("c", "api")):
        (tmp_path / f"{name}.yaml").write_text(endpoint_slice(name, target))
    store = ManifestStore([tmp_path])

    def slices(snapshot: Snapshot) -> dict[str, list[str]]:
        return {name.name: [item.meta.name for item in items] for name, items in snapshot.slices.items()}

    first = store.rescan()
    assert slices(first.snapshot) == {"web": ["a", "b"], "api": ["c"]}
    (tmp_path / "c.yaml").write_text(endpoint_slice("c", "web"))
    second = store.update([tmp_path / "c.yaml"])
    assert slices(second.snapshot) == {"web": ["a", "b", "c"]}
    (tmp_path / "a.yaml").unlink()
    third = store.update([tmp_path / "a.yaml"])
    assert slices(third.snapshot) == {"web": ["b", "c"]}
    assert slices(first.snapshot) == {"web": ["a", "b"], "api": ["c"]}, "expected that a snapshot never changes"


def test_the_namespace_of_the_configuration_is_a_setting(tmp_path: Path) -> None:
    """Resources without a namespace count as in it, others are a mistake."""
    (tmp_path / "a.yaml").write_text(pool("main"))
    (tmp_path / "b.yaml").write_text(
        pool("other", "198.51.100.0/24").replace("name: other", "name: other\n  namespace: x")
    )
    state = check_paths([tmp_path], "network")
    assert [item.meta.namespace for item in state.snapshot.pools.values()] == ["network"]
    assert "'network'" in only(state).message


def test_kinds_of_others_are_listed_once(tmp_path: Path) -> None:
    """And no more when the last of them is gone."""
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(text)
    store = ManifestStore([tmp_path])
    assert store.rescan().ignored_kinds == ("Deployment (apps/v1)",)
    (tmp_path / "a.yaml").unlink()
    assert store.rescan().ignored_kinds == ("Deployment (apps/v1)",)
    (tmp_path / "b.yaml").unlink()
    assert store.rescan().ignored_kinds == ()


def test_what_is_no_plain_text_is_a_clear_error_and_no_wait(tmp_path: Path) -> None:
    """A pipe without a writer, a device, a file too large, a link to nothing, bytes that are no UTF-8."""
    os.mkfifo(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").symlink_to("/dev/zero")
    with (tmp_path / "c.yaml").open("wb") as file:
        file.truncate(MAX_SIZE + 1)
    (tmp_path / "d.yaml").symlink_to("nowhere")
    (tmp_path / "e.yaml").write_bytes(b"a: 1\nb: \xff\n")
    (tmp_path / "f.yaml").write_bytes("a: 1\n".encode("utf-16"))
    (tmp_path / "g.yaml").write_bytes(b"\xef\xbb\xbf" + service("web").replace("\n", "\r\n").encode())
    started = time.monotonic()
    state = ManifestStore([tmp_path]).rescan()
    assert time.monotonic() - started < 5
    found = [str(mistake).removeprefix(f"{tmp_path}/") for mistake in state.mistakes]
    expected = [
        "a.yaml: cannot be read: is a pipe, a plain file is needed",
        "b.yaml: cannot be read: is a device, a plain file is needed",
        f"c.yaml: cannot be read: has {MAX_SIZE + 1} bytes, allowed are {MAX_SIZE}; split it",
        "d.yaml: is a symbolic link to nothing",
        "e.yaml:2: is not UTF-8: byte 0xff has no meaning there",
        "f.yaml:1: is not UTF-8: byte 0xff has no meaning there",
    ]
    assert found == expected, f"expected {expected}, found {found}"
    assert port_of(state) == 80, "expected the file with the byte order mark to be read"


def test_a_file_that_cannot_be_read_any_more_keeps_its_objects(tmp_path: Path) -> None:
    """Not being allowed to look is no deletion."""
    file = tmp_path / "a.yaml"
    file.write_text(service("web"))
    store = ManifestStore([tmp_path])
    first = store.rescan()
    file.write_bytes(b"\xff")
    state = store.update([file])
    assert web(state) is web(first)
    assert "UTF-8" in only(state).message
    file.write_text(service("web", 81))
    state = store.rescan()
    assert port_of(state) == 81
    assert not state.mistakes


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    """A folder that contains itself by a link is visited once."""
    (tmp_path / "a.yaml").write_text(service("web"))
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    state = ManifestStore([tmp_path]).rescan()
    assert not state.mistakes, f"found {[str(item) for item in state.mistakes]}"
    assert state.files == 1


def test_check_names_a_path_that_is_not_there(tmp_path: Path) -> None:
    """Nothing to look at is another thing than nothing found."""
    with pytest.raises(ConfigError, match="nowhere: cannot be read: No such file"):
        check_paths([tmp_path, tmp_path / "nowhere"])
    (tmp_path / "a.txt").write_text(service("web"))
    assert port_of(check_paths([tmp_path / "a.txt"])) == 80, "expected a named file to be read whatever its ending"


@pytest.mark.parametrize("files", [1, 2000])
def test_one_change_among_many_services_is_a_matter_of_milliseconds(tmp_path: Path, files: int) -> None:
    """Two thousand Services, in one file or one file each; limits with room for a busy machine."""
    services = [service(f"web-{number}") for number in range(2000)]
    each = len(services) // files
    for number in range(files):
        (tmp_path / f"{number}.yaml").write_text(join(*services[number * each : (number + 1) * each]))
    store = ManifestStore([tmp_path])
    started = time.process_time()
    first = store.rescan()
    assert time.process_time() - started < 6, "expected 2,000 Services in well under 6 s"
    assert len(first.snapshot.services) == 2000
    changed = tmp_path / "0.yaml"
    changed.write_text(changed.read_text().replace("port: 80", "port: 81", 1))
    started = time.process_time()
    second = store.update([changed])
    spent = time.process_time() - started
    assert spent < 0.3, f"expected milliseconds for one change, found {spent:.3f} s"
    differ = [name for name in first.snapshot.services if web(first, name.name) is not web(second, name.name)]
    assert len(differ) == 1, f"expected one new object, found {len(differ)}"
