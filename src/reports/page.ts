import { createHash } from 'node:crypto'
import { type Content, html, markup } from './html.js'
import { pageStyle } from './style.js'

/**
 * Returns a page in one file without external resources. Its content security policy forbids loading anything and running any
 * script other than the given one.
 *
 * @param extra `style`: additional CSS; `script`: a module without imports and without the text `</script`.
 */
export function page(title: string, body: Content, extra: { style?: string; script?: string } = {}): string {
  const { style = '', script } = extra
  const runs = script === undefined ? '' : ` script-src 'sha256-${sha256(script)}';`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline';${markup(runs)} img-src data:; base-uri 'none'; form-action 'none'">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${markup(pageStyle + style)}</style>
</head>
<body>
${body}
${script === undefined ? null : markup(`<script type="module">${script}</script>\n`)}</body>
</html>
`.text
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

/** A plot with its caption above it. */
export function figure(title: string, about: Content, plot: string): Content {
  return html`<figure><figcaption><b>${title}</b>${about}</figcaption>${markup(plot)}</figure>`
}

/** A table whose first column has the names of its rows. Cells with `quiet` are grey. */
export interface Table {
  /** A description for screen readers. */
  label: string
  head: Content
  rows: { name: string; cells: (string | { quiet: string })[] }[]
}

export function table({ label, head, rows }: Table): Content {
  const cell = (content: string | { quiet: string }) =>
    typeof content === 'string' ? html`<td>${content}</td>` : html`<td class="quiet">${content.quiet}</td>`
  return html`<div class="wide"><table aria-label="${label}"><thead>${head}</thead><tbody>
${rows.map(({ name, cells }) => html`<tr><th scope="row">${name}</th>${cells.map(cell)}</tr>\n`)}</tbody></table></div>`
}
