import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom/worker'

const { document } = parseHTML('<!doctype html><html><body></body></html>')

/** Returns Plot's drawing as the text of a scalable SVG element. Screen readers read `label` instead. */
export function draw(label: string, options: Plot.PlotOptions): string {
  const svg = Plot.plot({ ...options, document, className: 'plot' })
  // Plot's own rules are removed; the page has ours once.
  svg.querySelector('style')?.remove()
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', label)
  return svg.outerHTML
}

/** Shortens a name to `letters` characters. */
export function short(name: string, letters = 14): string {
  const all = [...name]
  return all.length <= letters ? name : `${all.slice(0, letters - 1).join('')}…`
}
