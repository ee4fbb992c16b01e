// The frame of every report: one file that needs nothing else and may load nothing else. The content security policy
// names our own style and script by their digests, so that even markup that should not be there could not run.
import { createHash } from 'node:crypto'
import { type Content, html, type Markup, scriptJson, trusted } from './markup.ts'

/** The files of web/, as text. */
export interface WebAssets {
  readonly style: string
  /** What the report's script adds: reading values off charts, the theme, downloads. It works without. */
  readonly reportScript: string
  /** The script of the served page, which builds it. */
  readonly pageScript: string
}

export interface ReportFrame {
  readonly title: string
  readonly subtitle: Content
  readonly sections: readonly Section[]
  readonly data: object
  /** As a file of this name, without its ending. */
  readonly fileName: string
  readonly csv: string
  readonly footer: Content
}

export interface Section {
  readonly id: string
  readonly title: string
  /** Under the title: how to read it. */
  readonly about?: Content
  readonly body: Content
}

export function reportDocument(frame: ReportFrame, { style, reportScript }: WebAssets): string {
  const policy = contentPolicy(style, reportScript, "'none'")
  const { title, subtitle, sections, data, fileName, csv, footer } = frame
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${title} · Mixscaler</title>
<style>${trusted(style)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="top"><div>
<p class="brand">Mixscaler</p>
<h1>${title}</h1>
<p class="subtitle">${subtitle}</p>
</div>
<div class="tools">
<button type="button" data-theme-toggle hidden>Dark</button>
<button type="button" data-download="report-data" data-name="${fileName}.json" data-type="application/json" hidden>JSON</button>
<button type="button" data-download="report-csv" data-name="${fileName}.csv" data-type="text/csv" hidden>CSV</button>
</div></header>
<nav class="contents" aria-label="Contents"><ul>${sections.map(
    ({ id, title: name }) => html`<li><a href="#${id}">${name}</a></li>`,
  )}</ul></nav>
<main id="content">
${sections.map(sectionMarkup)}
</main>
<footer>${footer}</footer>
<script type="application/json" id="report-data">${scriptJson(data)}</script>
<script type="application/json" id="report-csv">${scriptJson({ csv })}</script>
<script>${trusted(reportScript)}</script>
</body>
</html>
`.markup
}

export function contentPolicy(style: string, script: string, connect: string): string {
  return [
    "default-src 'none'",
    `style-src '${digest(style)}'`,
    `script-src '${digest(script)}'`,
    `connect-src ${connect}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

function sectionMarkup({ id, title, about, body }: Section): Markup {
  return html`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${title}</h2>
${about === undefined ? undefined : html`<p class="about">${about}</p>`}
${body}
</section>
`
}
