// The page that serve shows at `/`: a frame with the look of the reports, which its script fills from /api/v1/plan. The
// policy of its content allows our own script and style, requests to where it came from, and nothing else.
import { contentPolicy, type WebAssets } from './document.ts'
import { html, trusted } from './markup.ts'

export interface LivePage {
  readonly text: string
  /** For the Content-Security-Policy header. */
  readonly contentSecurityPolicy: string
}

/** What callers are told: the targets, or in a dry run what is asked for already. */
export type Told = 'target' | 'current'

const dryRun = html`<p class="subtitle"><span class="status held">dry run</span> KEDA is told the counts that are asked for already: targets below are what would be, and nothing follows them.</p>`

export function livePage({ style, pageScript }: WebAssets, version: string, told: Told): LivePage {
  const text = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>Mixscaler</title>
<style>${trusted(style)}</style>
</head>
<body>
<header class="top"><div>
<p class="brand">Mixscaler</p>
<h1>What runs, and why</h1>
<p class="subtitle"><span id="freshness" class="status" role="status">loading</span></p>${told === 'current' ? dryRun : ''}
</div></header>
<main id="content"><noscript><section>This page needs its script. The same as JSON: <a href="/api/v1/plan">/api/v1/plan</a></section></noscript></main>
<footer>Read-only. As JSON: <a href="/api/v1/plan">plan</a>, <a href="/api/v1/policies">policies</a>; for Prometheus: <a href="/metrics">metrics</a>. Mixscaler ${version}</footer>
<script>${trusted(pageScript)}</script>
</body>
</html>
`.markup
  return {
    text,
    contentSecurityPolicy: `${contentPolicy(style, pageScript, "'self'")}; img-src data:; frame-ancestors 'none'`,
  }
}
