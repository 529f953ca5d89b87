// Pictures for the docs: node scripts/pictures.js PAGE.html DIRECTORY
// Writes the plots of a page that `train` or `compare` made, one SVG file for each group of plots. The files contain no text of
// articles, follow the reader's colour scheme and have a background, so they can be shown on any page.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseHTML } from 'linkedom'
import { colours, plotStyle } from '../dist/reports/style.js'

const [page, directory] = process.argv.slice(2)
if (page === undefined || directory === undefined) {
  process.stderr.write('pictures: wanted PAGE.html DIRECTORY\n')
  process.exit(2)
}

/** In pixels: the gap around the picture and between plots, and the space above each for its two lines of text. */
const GAP = 24
const HEAD = 44
const WIDEST = 1280

const { document } = parseHTML(await readFile(page, 'utf8'))
await mkdir(directory, { recursive: true })
for (const group of document.querySelectorAll('.plots')) {
  const figures = [...group.querySelectorAll('figure')].filter(figure => figure.querySelector('svg'))
  if (figures.length === 0) continue
  const heading = group.closest('main').querySelectorAll('h2, h3, .plots')
  const above = heading[[...heading].indexOf(group) - 1]
  const name = above.firstChild.textContent.trim().toLowerCase().replaceAll(/\W+/g, '-')
  await writeFile(join(directory, `${name}.svg`), picture(name, figures))
  process.stdout.write(`${join(directory, `${name}.svg`)}\n`)
}

/** Plots in rows, as one picture. */
function picture(name, figures) {
  const plots = figures.map(figure => {
    const svg = figure.querySelector('svg')
    // Parts that only respond to the mouse.
    for (const unseen of svg.querySelectorAll('title, g[fill-opacity="0"], g[pointer-events="all"]'))
      unseen.remove()
    const title = figure.querySelector('b').textContent
    const about = figure.querySelector('figcaption').lastChild.textContent
    const [width, height] = ['width', 'height'].map(side => Number(svg.getAttribute(side)))
    return { svg, title, about, width, height }
  })
  const width = Math.max(...plots.map(plot => plot.width))
  const height = Math.max(...plots.map(plot => plot.height)) + HEAD
  const rows = Math.ceil(plots.length / Math.floor((WIDEST - GAP) / (width + GAP)))
  const columns = Math.ceil(plots.length / rows)
  const size = [GAP + columns * (width + GAP), GAP + rows * (height + GAP)].map(Math.round)
  const placed = plots.map(({ svg, title, about }, i) => {
    const [x, y] = [i % columns, Math.floor(i / columns)].map(
      (n, side) => GAP + n * ((side ? height : width) + GAP),
    )
    svg.setAttribute('x', 0)
    svg.setAttribute('y', HEAD - 8)
    return (
      `<g transform="translate(${Math.round(x)},${Math.round(y)})"><text class="title" y="12">${escaped(title)}</text>` +
      `<text class="about" y="28">${escaped(about)}</text>${svg.outerHTML}</g>`
    )
  })
  const texts =
    '.title { fill: var(--ink); font: 600 14px system-ui, sans-serif } .about { fill: var(--muted); font: 12px system-ui, sans-serif }'
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size.join(' ')}" width="${size[0]}" height="${size[1]}" role="img" aria-label="${escaped(name)}">
<style>${colours}${plotStyle}
${texts}</style>
<rect width="100%" height="100%" rx="6" fill="var(--paper)"/>
${placed.join('\n').replaceAll(/<[^>]*>/g, rounded)}
</svg>
`
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** Rounds the numbers in a tag to two decimals. */
function rounded(tag) {
  return tag.replaceAll(/\d+\.\d{3,}/g, number => String(Number(Number(number).toFixed(2))))
}
