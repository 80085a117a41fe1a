// The person who acts, the screen's settings, and the keys.

import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { act } from "../data/api";
import { contact } from "../data/live";
import { Dialog } from "../parts/dialog";
import { HELP, helpOpen } from "./keys";
import { browserZone, person, shortcuts, signedIn, theme, zone } from "./settings";

export const personOpen = signal(false);

export function Help() {
  return (
    <Dialog title="Keys" close={() => { helpOpen.value = false; }}>
      <dl class="facts">
        {HELP.map(([key, what]) => [<dt key={key}><code>{key}</code></dt>, <dd key={what}>{what}</dd>])}
      </dl>
      <label class="row">
        <input type="checkbox" checked={shortcuts.value} onChange={(event) => { shortcuts.value = event.currentTarget.checked; }} />
        {" "}keys of one letter work
      </label>
    </Dialog>
  );
}

export function PersonDialog() {
  const [name, set] = useState(person.value);
  const close = () => {
    personOpen.value = false;
  };
  const signOut = async () => {
    await act("/v1/logout", undefined).catch(() => undefined);
    signedIn.value = null;
    contact.value = "sign-in";
    close();
  };
  return (
    <Dialog title="You and this screen" close={close}>
      {signedIn.value ? (
        <div class="row">
          <span>Signed in as <b>{signedIn.value.name}</b> ({signedIn.value.role}).</span>
          <button type="button" onClick={() => void signOut()}>Sign out</button>
        </div>
      ) : (
        <form onSubmit={(event) => { event.preventDefault(); person.value = name.trim(); close(); }}>
          <label class="field">Your name, as it stands beside what you do
            <input value={name} maxLength={100} autoFocus autocomplete="username" onInput={(event) => set(event.currentTarget.value)} />
          </label>
          <p class="second">This server asks for no sign-in: everybody may do everything, under the name given here.</p>
          <button class="main" type="submit">Keep</button>
        </form>
      )}
      <label class="field">Colours
        <select value={theme.value} onChange={(event) => { theme.value = event.currentTarget.value; }}>
          <option value="">as the system</option>
          <option value="light">light</option>
          <option value="dark">dark (control room at night)</option>
        </select>
      </label>
      <label class="field">Times in
        <select value={zone.value} onChange={(event) => { zone.value = event.currentTarget.value; }}>
          <option value={browserZone}>{browserZone} (this computer)</option>
          {browserZone !== "UTC" && <option value="UTC">UTC</option>}
        </select>
      </label>
    </Dialog>
  );
}
