// How the page gets in: a client secret for one session, and the question for a key where the
// server has keys. A key is kept in memory only. Knows nothing of sessions.

const SECRET_MARK = "ek_";
let kept = "";

/** A secret for one session. ask(why): resolves to a key or secret that the user typed, or null.
 * Resolves to null when the user gave up. Throws when the server cannot be reached. */
export async function newSecret(ask) {
  let why = "";
  for (;;) {
    if (kept.startsWith(SECRET_MARK)) {
      const secret = kept;
      kept = ""; // it opens one session
      return secret;
    }
    const answer = await fetch("/v1/client_secrets", {
      method: "POST",
      headers: kept ? { Authorization: `Bearer ${kept}` } : {},
    });
    if (answer.ok) return (await answer.json()).value;
    if (answer.status !== 401) throw new Error((await answer.json()).error.message);
    if (kept) why = "This server does not know that key.";
    kept = (await ask(why)) ?? "";
    if (!kept) return null;
  }
}

/** What was typed did not open a session: ask again the next time. */
export function forget() {
  kept = "";
}
