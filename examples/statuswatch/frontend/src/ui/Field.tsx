import { useId, type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes } from "react";

interface Common {
  readonly label: string;
  readonly hint?: ReactNode;
  readonly problem?: string | undefined;
}

type FieldProps = Common & { readonly unit?: string } & InputHTMLAttributes<HTMLInputElement>;

/** A labelled input; what is wrong with it is read together with it. */
export function Field({ label, hint, problem, unit, ...input }: FieldProps) {
  const { id, described } = useNames(hint, problem);
  const box = <input {...input} id={id} className="input" aria-invalid={problem !== undefined} aria-describedby={described} />;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {unit === undefined ? box : <div className="affix">{box}<span>{unit}</span></div>}
      <Below id={id} hint={hint} problem={problem} />
    </div>
  );
}

export function Select({ label, hint, problem, children, ...select }: Common & SelectHTMLAttributes<HTMLSelectElement>) {
  const { id, described } = useNames(hint, problem);
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select {...select} id={id} className="input" aria-invalid={problem !== undefined} aria-describedby={described}>
        {children}
      </select>
      <Below id={id} hint={hint} problem={problem} />
    </div>
  );
}

function useNames(hint: ReactNode, problem: string | undefined): { id: string; described: string | undefined } {
  const id = useId();
  const described = [problem === undefined ? "" : `${id}-problem`, hint === undefined ? "" : `${id}-hint`].join(" ").trim();
  return { id, described: described === "" ? undefined : described };
}

function Below({ id, hint, problem }: { id: string; hint: ReactNode; problem: string | undefined }) {
  return (
    <>
      {problem === undefined ? null : <p className="problem" id={`${id}-problem`}>{problem}</p>}
      {hint === undefined ? null : <div className="hint" id={`${id}-hint`}>{hint}</div>}
    </>
  );
}

/** Put the cursor into the first input that is wrong. */
export function focusFirstProblem(form: HTMLFormElement): void {
  requestAnimationFrame(() => form.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
}
