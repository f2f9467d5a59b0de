import { useMutation } from "@tanstack/react-query";
import { useLocation, useSearch } from "wouter";
import { open, session } from "../api/client";
import type { LoggedIn } from "../api/types";
import { handoverUrl, nextPath } from "../lib/hosts";
import { Icon } from "./icons";
import { Problem } from "./parts";

/** Go on where the session belongs: here, or on the organization's own host. */
export function useEnter(isPublic: boolean): (loggedIn: LoggedIn) => void {
  const [, navigate] = useLocation();
  const search = useSearch();
  return (loggedIn) => {
    if (isPublic) {
      window.location.assign(handoverUrl(loggedIn, window.location));
    } else {
      session.begin({ access: loggedIn.access, refresh: loggedIn.refresh });
      navigate(nextPath(search), { replace: true });
    }
  };
}

/** Into the organization that the operator has named for looking around. */
export function DemoButton() {
  const enter = useEnter(true);
  const demo = useMutation({ mutationFn: () => open<LoggedIn>("POST", "/api/auth/demo/"), onSuccess: enter });
  return (
    <>
      <button type="button" className="button" disabled={demo.isPending} onClick={() => demo.mutate()}>
        <Icon name="activity" />
        Look around in the demo
      </button>
      <Problem error={demo.error} />
    </>
  );
}
