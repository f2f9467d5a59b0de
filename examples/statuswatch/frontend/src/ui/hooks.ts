import { useQuery } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { session } from "../api/client";
import { hostQuery } from "../api/queries";
import type { Host } from "../api/types";

/** The time, a few times a minute, so that "2 minutes ago" stays true. */
export function useNow(everyMs = 10_000): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    const timer = setInterval(() => setNow(new Date()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

export function useIsLoggedIn(): boolean {
  return useSyncExternalStore(session.subscribe, session.isOpen);
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === "" ? "StatusWatch" : `${title} · StatusWatch`;
  }, [title]);
}

/** What this host is; the app shows nothing before it is known. */
export function useHost(): Host {
  const { data } = useQuery(hostQuery);
  if (data === undefined) throw new Error("the host is not known yet");
  return data;
}
