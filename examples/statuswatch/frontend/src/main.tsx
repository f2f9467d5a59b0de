import "@fontsource-variable/inter/wght.css";
import "./styles/base.css";
import "./styles/parts.css";
import "./styles/pages.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/errors";
import { App } from "./App";
import { ErrorBoundary } from "./ui/ErrorBoundary";
import { applyTheme, storedTheme } from "./ui/theme";

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the API refuses it will refuse again; a server that restarts is back soon.
      retry: (failures, error) => failures < 3 && !(error instanceof ApiError && error.status < 500),
    },
  },
});

// A page that was open during a deploy may ask for a file of the old build that is gone: the new page has new names.
addEventListener("vite:preloadError", (event) => {
  const last = Number(sessionStorage.getItem("statuswatch.reloaded") ?? 0);
  if (Date.now() - last < 60_000) return; // it is gone in the new page too: the error boundary says so
  event.preventDefault();
  sessionStorage.setItem("statuswatch.reloaded", String(Date.now()));
  location.reload();
});

applyTheme(storedTheme());
const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <ErrorBoundary onReset={() => client.clear()}>
      <QueryClientProvider client={client}>
        <App />
      </QueryClientProvider>
    </ErrorBoundary>
  </StrictMode>,
);
