"""Collections: by the npm client, and where it has no call, as Python's client asks."""
import json

from tests.clients import hub_process


class Collections(hub_process.TestCase):
    def test_both_clients(self):
        slug = json.loads(self.node("collections.mjs").splitlines()[-1])["slug"]
        path = f"/api/collections/{slug}"

        # A new title makes a new slug with the same id at its end; the old one still leads there.
        changed = self.api("PATCH", path, self.ana, {"title": "Tiny", "theme": "green"})["data"]
        self.assertEqual(changed["slug"], f"ana/tiny-{slug[-24:]}")
        self.assertEqual(self.api("GET", path)["title"], "Tiny")

        # Items move, and take another note.
        items = self.api("POST", path + "/items", self.ana, {"item": {"type": "model", "id": "ana/large"}})["items"]
        self.assertEqual([item["id"] for item in items], ["ana/small", "ana/words", "ana/large"])
        self.api("PATCH", f"{path}/items/{items[2]['_id']}", self.ana, {"position": 0, "note": "first"})
        found = self.api("GET", path, self.ana)["items"]
        self.assertEqual([(item["id"], item["position"]) for item in found],
                         [("ana/large", 0), ("ana/small", 1), ("ana/words", 2)])
        self.assertEqual(found[0]["note"]["text"], "first")

        # A collection on a collection; and a repository that is gone is on none.
        other = self.api("POST", "/api/collections", self.ana, {"title": "All", "namespace": "ana"})
        self.api("POST", f"/api/collections/{other['slug']}/items", self.ana, {"item": {"type": "collection", "id": slug[-24:]}})
        item, = self.api("GET", f"/api/collections/{other['slug']}")["items"]
        self.assertEqual((item["type"], item["slug"]), ("collection", changed["slug"]))
        self.api("DELETE", "/api/repos/delete", self.ana, {"name": "large"})
        self.assertEqual([item["id"] for item in self.api("GET", path, self.ana)["items"]], ["ana/small", "ana/words"])
        self.api("DELETE", path, self.ana)
        self.assertEqual(self.api("GET", f"/api/collections/{other['slug']}")["items"], [])


if __name__ == "__main__":
    hub_process.main()
