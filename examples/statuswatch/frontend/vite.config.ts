import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Where the API answers while developing; `docker compose up` publishes it here. The Host header stays as the browser
// sent it, because it chooses the organization: http://acme.localhost:5173 is acme's.
const backend = process.env.STATUSWATCH_BACKEND ?? "http://127.0.0.1:8003";
const proxy = Object.fromEntries(
  ["/api", "/static", "/verify-email", "/version"].map((path) => [path, { target: backend, changeOrigin: false }]),
);

export default defineConfig({
  plugins: [
    react(),
    {
      // Only a build has it: the development server puts scripts into the page.
      name: "content-security-policy",
      apply: "build",
      transformIndexHtml: () => [
        { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: POLICY }, injectTo: "head-prepend" },
      ],
    },
  ],
  server: { host: "127.0.0.1", port: 5173, strictPort: true, allowedHosts: [".localhost"], proxy },
  preview: { allowedHosts: [".localhost"], proxy },
  build: { target: "es2022", assetsInlineLimit: 0, chunkSizeWarningLimit: 400 },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});

// Nothing but our own files and our own API.
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");
