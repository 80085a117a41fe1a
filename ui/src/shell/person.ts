// Who one is: from the server where it knows, else from the screen, which asks once.

import { ApiProblem, get } from "../data/api";
import { contact } from "../data/live";
import { personOpen } from "./dialogs";
import { person, signedIn } from "./settings";

/** Asks the server. One without users has no such route, or knows no name. */
export async function learnPerson(): Promise<void> {
  try {
    const me = await get<{ name?: string | null; role?: string }>("/v1/me");
    signedIn.value = me.name ? { name: me.name, role: me.role ?? "" } : null;
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 401) contact.value = "sign-in";
    signedIn.value = null;
  }
}

/** The name to act under; null, and the question is on the screen, if there is none yet. */
export function actor(): { actor?: string } | null {
  if (signedIn.value) return {};
  if (person.value) return { actor: person.value };
  personOpen.value = true;
  return null;
}
