import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'

const { document } = parseHTML('<!doctype html><html><body></body></html>')

/** What Plot draws, as the text of an SVG element that scales with its width; a screen reader says `label` instead. */
export function draw(label: string, options: Plot.PlotOptions): string {
  const svg = Plot.plot({ ...options, document, className: 'plot' })
  // Plot's own rules speak of the class alone; ours stand once in the page.
  svg.querySelector('style')?.remove()
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', label)
  return svg.outerHTML
}

/** A name as long as there is room for; `title` has it whole. */
export function short(name: string, letters = 14): string {
  const all = [...name]
  return all.length <= letters ? name : `${all.slice(0, letters - 1).join('')}…`
}
