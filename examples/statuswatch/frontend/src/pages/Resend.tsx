import { useMutation } from "@tanstack/react-query";
import { useState, type SyntheticEvent } from "react";
import { open } from "../api/client";
import { Field } from "../ui/Field";
import { useTitle } from "../ui/hooks";
import { Problem } from "../ui/parts";
import { Gate } from "../ui/PublicFrame";

/** Ask for the mail once more; whether the address is known stays untold. */
export function Resend() {
  const [email, setEmail] = useState("");
  const [asked, setAsked] = useState<string | null>(null);
  useTitle("Confirm your address");
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    setAsked(email);
  };
  return (
    <Gate>
      <header>
        <h1>Confirm your address</h1>
        <p className="soft">The link in our mail is valid for 48 hours.</p>
      </header>
      {asked === null ? (
        <form onSubmit={submit}>
          <Field label="E-mail" type="email" autoComplete="email" required value={email} onChange={(event) => setEmail(event.target.value)} />
          <button type="submit" className="button primary">Go on</button>
        </form>
      ) : (
        <SendAgain email={asked} />
      )}
      <p className="soft small"><a href="/login">Back to the login</a></p>
    </Gate>
  );
}

export function SendAgain({ email }: { email: string }) {
  const resend = useMutation({ mutationFn: () => open("POST", "/api/auth/resend-verification/", { email }) });
  return (
    <>
      <button type="button" className="button" disabled={resend.isPending || resend.isSuccess} onClick={() => resend.mutate()}>
        {resend.isSuccess ? "Sent, if the address is known" : "Send the mail again"}
      </button>
      <Problem error={resend.error} />
    </>
  );
}
