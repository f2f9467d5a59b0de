import type { ReactNode } from "react";
import { useHost } from "./hooks";
import { Brand } from "./parts";
import { ThemeSwitch } from "./ThemeSwitch";

/** What surrounds pages that anybody may see. */
export function PublicFrame({ children, actions, className = "" }: { children: ReactNode; actions?: ReactNode; className?: string }) {
  const { version } = useHost();
  return (
    <>
      <div className={className}>
        <header className="public-top">
          <Brand />
          <div className="buttons">{actions}</div>
        </header>
        <main>{children}</main>
      </div>
      <footer className="page-foot">
        <span>StatusWatch · release {version} · <a href="/api/docs/">API</a></span>
        <ThemeSwitch />
      </footer>
    </>
  );
}

/** A form that stands alone. */
export function Gate({ children }: { children: ReactNode }) {
  return (
    <main className="gate">
      <div className="card">
        <Brand />
        {children}
      </div>
    </main>
  );
}
