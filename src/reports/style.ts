/**
 * The colours of pages and plots. Blue and orange (Okabe and Ito's, darker in the light scheme) are distinguishable for
 * red-green colour-blind readers. As text they have a contrast of at least 4.5; so does `--ink` on both shades.
 */
export const colours = `
:root { color-scheme: light dark;
  --paper: #fdfdfc; --ink: #1c1e21; --muted: #5f646b; --rule: #dddcd8;
  --first: #0a67a8; --second: #b04a00; --first-shade: #86bbe3; --second-shade: #f2ad72 }
@media screen and (prefers-color-scheme: dark) { :root {
  --paper: #16181b; --ink: #e9e7e2; --muted: #a3a7ad; --rule: #383c42;
  --first: #6fbcf0; --second: #f0a04b; --first-shade: #1d5c93; --second-shade: #8a4a10 } }
@media print { :root { color-scheme: light } }`

/** The rules of a plot, in a page or on its own. */
export const plotStyle = `
.plot { color: var(--ink); font: 11px system-ui, sans-serif; overflow: visible }
.plot text { white-space: pre }
.plot .quiet { color: var(--muted) }`

/** The rules of a page. */
export const pageStyle = `${colours}${plotStyle}
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0 auto; max-width: 80rem; padding: 1.5rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: break-word }
h1, h2, h3, p, figure, dl, dd, ol, blockquote { margin: 0; padding: 0 }
h1 { font-size: 1.6rem; line-height: 1.2; font-weight: 600; letter-spacing: -.01em }
h2 { margin: 3rem 0 1rem; padding-top: .6rem; border-top: 1px solid var(--rule); font-size: 1.1rem; font-weight: 600 }
h3 { margin: 2rem 0 .8rem; font-size: 1rem; font-weight: 600 } h3 small { font-weight: 400 }
.quiet, figcaption, small { color: var(--muted) }
.lead { max-width: 46rem; margin-top: .4rem }
.note { max-width: 46rem; margin: .8rem 0 1.4rem; padding-left: .8rem; border-left: 3px solid var(--second) }
.summary { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 1rem 2rem; margin-top: 1.8rem }
.summary dt { color: var(--muted); font-size: .85rem }
.summary dd { font-size: 1.7rem; line-height: 1.25; font-variant-numeric: tabular-nums; letter-spacing: -.01em }
.summary small { display: block; font-size: .8rem; letter-spacing: 0 }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 2rem 2.5rem }
@media (min-width: 75rem) { .plots.test { grid-template-columns: 1fr 1fr minmax(0, 1.15fr) } }
.plots.tables { grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)) }
.plots.four { grid-template-columns: repeat(auto-fill, minmax(min(100%, 15.5rem), 1fr)); gap: 1.5rem 1.5rem }
figure { min-width: 0; break-inside: avoid }
figcaption { margin-bottom: .5rem; font-size: .85rem; line-height: 1.4 }
figcaption b { display: block; color: var(--ink); font-size: .95rem; font-weight: 600 }
figure svg { display: block; width: 100%; height: auto }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .22rem .3rem; text-align: right; font-weight: 400; border-bottom: 1px solid var(--rule) }
thead th { vertical-align: bottom; color: var(--muted) }
th[scope=row] { text-align: left; min-width: 6.2rem; overflow-wrap: anywhere } th:first-child { padding-left: 0 } thead th:first-child { text-align: left }
td.quiet { color: var(--muted) }
@media (max-width: 30rem) { table { font-size: .78rem } th, td { padding: .22rem .16rem } th[scope=row] { min-width: 5.4rem } }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 0 2.5rem }
.facts dl { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(0, 1fr); gap: .15rem 1rem; font-size: .9rem;
  align-content: start }
.facts dt { color: var(--muted) } .facts dd { overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
.mistakes { columns: 2 26rem; column-gap: 2.5rem; list-style: none }
.mistakes li { break-inside: avoid; margin-bottom: 1.5rem }
.mistakes blockquote { margin-top: .2rem; font-size: .9rem; overflow-wrap: anywhere }
summary { cursor: pointer; color: var(--muted); font-size: .9rem }
@media print { body { max-width: none; padding: 0; font-size: 12px } h2, h3 { break-after: avoid }
  .plots { grid-template-columns: repeat(2, 1fr) } .wide { overflow: visible } }
`
