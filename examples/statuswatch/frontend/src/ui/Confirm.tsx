import { useEffect, useId, useRef, type ReactNode } from "react";
import { Problem } from "./parts";

interface Props {
  readonly title: string;
  readonly children: ReactNode;
  readonly action: string;
  readonly isBusy: boolean;
  readonly error: unknown;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** Ask before something is gone. The browser keeps the focus inside and closes it on Escape. */
export function Confirm({ title, children, action, isBusy, error, onConfirm, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={id} onClose={onClose}>
      <div>
        <h2 id={id}>{title}</h2>
        <div className="soft">{children}</div>
        <Problem error={error} />
        <div className="buttons">
          <button type="button" className="button danger" disabled={isBusy} onClick={onConfirm}>{action}</button>
          <button type="button" className="button quiet" onClick={() => dialog.current?.close()}>Keep it</button>
        </div>
      </div>
    </dialog>
  );
}
