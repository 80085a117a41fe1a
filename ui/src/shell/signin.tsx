// Signing in, where the server wants it. The session is a cookie that no script can read.

import { useState } from "preact/hooks";
import { act, ApiProblem } from "../data/api";
import { contact } from "../data/live";
import { Refusal } from "../parts/panel";
import { learnPerson } from "./person";

export function SignIn() {
  const [user, setUser] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [code, setCode] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await act("/v1/login", code ? { user, password, code } : { user, password });
      setProblem(null);
      setPassword("");
      contact.value = "starting";
      await learnPerson();
      location.reload();
    } catch (error) {
      if (error instanceof ApiProblem) setProblem(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <section class="panel">
      <header><h2>Sign in</h2></header>
      <form class="pad filters" onSubmit={(event) => void submit(event)}>
        <label class="field">User
          <input value={user} autocomplete="username" required onInput={(event) => setUser(event.currentTarget.value)} />
        </label>
        <label class="field">Password
          <input type="password" value={password} autocomplete="current-password" required onInput={(event) => setPassword(event.currentTarget.value)} />
        </label>
        <button class="main" type="submit" disabled={busy}>Sign in</button>
        <details>
          <summary>Nobody has signed in here yet?</summary>
          <label class="field">The code that the server printed at its start makes you the first administrator
            <input value={code} autocomplete="one-time-code" onInput={(event) => setCode(event.currentTarget.value.trim())} />
          </label>
        </details>
      </form>
      {problem && <Refusal problem={problem} />}
    </section>
  );
}
