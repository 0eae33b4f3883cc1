"""Shares of Radicale's when a user gets another name: none is lost, whatever stands where it is to be."""

from __future__ import annotations

from pathlib import Path

from calsync import config, upstream


def test_a_share_whose_new_place_is_taken_stays_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(f"[storage]\nfilesystem_folder = {tmp_path}\n[sharing]\ntype = files\ncollection_by_map = True\n")
    configuration = config.load([str(file)])
    shares = upstream.sharing.load(configuration)
    # What a former Zoe was given is still there.
    for number, (shown, user) in enumerate((("/zoe/team/", "zoe"), ("/anna/team/", "anna"), ("/anna/choir/", "anna"))):
        made = shares.database_create_sharing(
            "map", shown, f"/ben/{number}/", "none", "ben", user, "r", Timestamp=number
        )
        assert made["status"] == "success"
    assert upstream.rename_in_shares(configuration, "anna", "zoe") == (1, ["/ben/1/"])
    found = {
        (row["PathOrToken"], row["PathMapped"], row["User"])
        for row in upstream.sharing.load(configuration).database_list_sharing()
    }
    assert found == {
        ("/zoe/team/", "/ben/0/", "zoe"),
        ("/anna/team/", "/ben/1/", "anna"),
        ("/zoe/choir/", "/ben/2/", "zoe"),
    }
