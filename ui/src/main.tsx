// The start: settings, the live data, the shell.

import { render } from "preact";
import { start } from "./data/live";
import { AlertsPage } from "./pages/alerts";
import { FleetPage } from "./pages/fleet";
import { listen as listenKeys } from "./shell/keys";
import { learnPerson } from "./shell/person";
import { listen as listenLinks } from "./shell/router";
import { apply } from "./shell/settings";
import { Shell, type Pages } from "./shell/shell";

const pages: Pages = {
  fleet: () => FleetPage,
  alerts: () => AlertsPage,
  rules: () => import("./pages/rules").then((page) => page.default),
  explore: () => import("./pages/explore").then((page) => page.default),
  jobs: () => import("./pages/jobs").then((page) => page.default),
  models: () => import("./pages/models").then((page) => page.default),
  system: () => import("./pages/system").then((page) => page.default),
  assets: () => import("./pages/asset").then((page) => page.default),
};

apply();
listenLinks();
listenKeys();
start();
void learnPerson();
const root = document.getElementById("console");
if (root) {
  root.replaceChildren();
  render(<Shell pages={pages} />, root);
}
