"""Collections: by the npm client, and where it has no call, as Python's client asks."""
import json
import urllib.error

from tests.clients import hub_process


class Collections(hub_process.TestCase):
    def titles(self, query, token=None):
        return [found["title"] for found in self.api("GET", "/api/collections?" + query, token)]

    def test_who_may_not_see_an_item_learns_of_it_by_no_search(self):
        self.api("POST", "/api/repos/create", self.ben, {"name": "secret", "private": True})
        inner = self.api("POST", "/api/collections", self.ben, {"title": "Inner", "private": True})
        outer = self.api("POST", "/api/collections", self.ben, {"title": "Outer", "description": "For Everybody"})
        for kind, target in (("model", "ben/secret"), ("collection", inner["slug"])):
            self.api("POST", f"/api/collections/{outer['slug']}/items", self.ben, {"item": {"type": kind, "id": target}})
        for item in ("models/ben/secret", "collections/" + inner["slug"]):
            self.assertEqual(self.titles("item=" + item), [])
            self.assertEqual(self.titles("item=" + item, self.ana), [])
            self.assertEqual(self.titles("item=" + item, self.ben), ["Outer"])

        # Words are found whatever their letters; the newest comes first.
        self.assertEqual(self.titles("owner=ben&q=OUT"), ["Outer"])
        self.assertEqual(self.titles("owner=ben&q=everybody"), ["Outer"])
        self.api("PATCH", f"/api/collections/{inner['slug']}", self.ben, {"private": False})
        self.assertEqual(self.titles("owner=ben&sort=lastModified")[-1:] + self.titles("owner=ben&sort=upvotes")[-1:],
                         self.titles("owner=ben")[-1:] * 2)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.titles("sort=size")
        self.assertIn("sort=size", json.load(refused.exception)["error"])

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

        # Made with something on it at once, or not at all.
        full = self.api("POST", "/api/collections", self.ana, {"title": "Full", "item": {"type": "model", "id": "ana/large"}})
        self.assertEqual([item["id"] for item in full["items"]], ["ana/large"])
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.api("POST", "/api/collections", self.ana, {"title": "None", "item": {"type": "model", "id": "ana/none"}})
        self.assertEqual(refused.exception.code, 404)
        self.assertEqual(self.titles("q=none"), [])
        self.api("DELETE", f"/api/collections/{full['slug']}", self.ana)

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
