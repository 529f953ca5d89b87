import { fileURLToPath } from 'node:url'
import { checkInteger, checkOptions } from '../check.js'
import { badArgument } from '../errors.js'
import { readWhole } from '../files/read.js'
import { type Content, html, markup } from '../reports/html.js'
import { page } from '../reports/page.js'
import type { ReadingData } from './browser/data.js'
import type { Connectivity } from './connectivity.js'
import { type DecidingWord, decidingWords, type Reading, WORDS } from './reading.js'
import { style } from './style.js'

/** Compiled by its own configuration, which knows the browser; beside the package's code, wherever that runs from. */
const SCRIPT = fileURLToPath(new URL('../../dist/explain/browser/client.js', import.meta.url))

/** Classes that are shown of a prediction. */
const CLASSES = 5

/** What stands on the page besides the texts. */
export interface MemorisationPageOptions {
  /** Default 'What a prediction remembers'. */
  title?: string
  /** Words that are named as those that decided the last prediction, default 10; with 0 there is no such list. */
  words?: number
}

/**
 * A page, in one file that asks for nothing, on which a text is coloured by what each prediction depends on: pointing at a
 * token, or going there by keys, shows the prediction after it and colours the tokens before by their connectivity. Two
 * or more readings stand side by side and show the same place.
 *
 * @param readings of `readingOf`; at least one.
 * @returns HTML
 * @throws PackedRnnError (rejects) ERR_EMPTY for no readings; ERR_SHAPE for one whose parts do not fit; ERR_OUT_OF_RANGE where
 * `words` is no integer of at least 0; ERR_INVALID_ARGUMENT for an unknown option, or where the page's script cannot be
 * read.
 */
export async function memorisationPage(
  readings: readonly Reading[],
  options: MemorisationPageOptions = {},
): Promise<string> {
  checkOptions('memorisationPage', options, { title: true, words: true })
  if (readings.length === 0) {
    throw badArgument('memorisationPage', 'readings', 'at least one', 'none', 'ERR_EMPTY')
  }
  const { title = 'What a prediction remembers', words = WORDS } = options
  checkInteger('memorisationPage', 'words', words, 0)
  for (const [r, reading] of readings.entries()) checkReading(r, reading)
  const script = (await readWhole(SCRIPT)).toString('utf8')
  const body = html`<header><h1>${title}</h1>
<p class="lead">Point at a token, tap it, or walk through the text with the arrow keys: the bars show what the model predicts after
this token, and colour on which tokens that depends, as a share of the strongest. Where nothing is pointed at, it is the
prediction after the last token; Escape goes back there.</p>
<p class="legend"><span>not at all</span><i></i><span>most</span></p></header>
<main class="readings">${readings.map((reading, r) => section(reading, r, words))}</main>
<footer class="quiet"><p class="lead">How much a prediction depends on a token is the 2-norm of the gradient of the first class’s logit in the
token’s vector: how far a small change of the token would move it (Madsen, <i>Visualizing memorization in RNNs</i>,
Distill 2019). A prediction knows the text up to its token alone, also where the model reads in both directions.</p></footer>
${data(readings)}`
  return page(title, body, { style, script })
}

/** That a reading is as `readingOf` makes it: a place and a prediction for what is shown, of as many numbers. */
function checkReading(r: number, { tokens, starts, classes, predictions }: Reading): void {
  const fits =
    predictions.length > 0 &&
    predictions.length <= tokens.length &&
    starts.length === tokens.length &&
    predictions.every(({ probabilities, strengths }, position) => {
      const read = position === predictions.length - 1 ? tokens.length : position + 1
      return probabilities.length === classes.length && strengths.length === read
    })
  if (!fits) {
    const wanted = 'a reading of as many places and numbers as tokens and classes'
    throw badArgument('memorisationPage', `readings[${r}]`, wanted, 'others', 'ERR_SHAPE')
  }
}

function section(reading: Reading, r: number, words: number): Content {
  const { name, text, tokens, predictions } = reading
  const last = predictions.at(-1)!
  const classes = topClasses(reading, last)
  return html`<section id="reading-${r}" aria-labelledby="name-${r}">
<h2 id="name-${r}">${name}</h2>
${predictions.length < tokens.length ? partNote(predictions.length - 1) : null}
<div class="prediction"><p class="place">After all ${tokens.length} tokens</p>
<ol class="bars">${classes.map(([label, probability]) => bar(label, probability, probability))}</ol></div>
<p class="status" role="status"></p>
<div class="text" lang="" dir="auto" tabindex="0" role="group" aria-label="The text as ${name} reads it">${spans(text, reading, last)}</div>
${words > 0 ? decided(decidingWords(tokens, last.strengths, words)) : null}
</section>`
}

function partNote(positions: number): Content {
  return html`<p class="note">The first ${positions} tokens can be pointed at. After them there is the prediction at the end alone.</p>`
}

function decided(words: readonly DecidingWord[]): Content {
  const most = words[0]?.share || 1
  return html`<h3>What decided it in the end</h3>
<ol class="words">${words.map(({ word, share }) => bar(word, share, share / most))}</ol>
<p class="quiet"><small>Shares of all that the last prediction depends on; a word’s places count together.</small></p>`
}

/** A line of a list, with a bar beneath; its length is a share of the list's width. */
function bar(name: string, share: number, length: number): Content {
  return html`<li style="--length: ${length.toFixed(4)}"><span class="name">${name}</span> <span class="value">${percent(share)}</span></li>`
}

/** The text, each of its tokens in a span that is coloured for the prediction at the end. */
function spans(text: string, { tokens, starts }: Reading, { strengths }: Connectivity): Content {
  const strongest = largest(strengths)
  const last = tokens.length - 1
  let from = 0
  const pieces = tokens.map((token, t) => {
    const between = text.slice(from, starts[t]!)
    from = starts[t]! + token.length
    const share = (strengths[t]! / strongest).toFixed(3)
    return html`${between}<span class="${t === last ? 'token current' : 'token'}" style="--strength: ${share}">${token}</span>`
  })
  return [pieces, text.slice(from)]
}

/** For the script; without a `<`, so that nothing in it can end the element that it stands in. */
function data(readings: readonly Reading[]): Content {
  const all = readings.map(
    (reading): ReadingData => ({
      starts: reading.starts,
      predictions: reading.predictions.map(prediction => topClasses(reading, prediction)),
      strengths: quantised(reading.predictions).toString('base64'),
    }),
  )
  const json = JSON.stringify(all).replaceAll('<', '\\u003c')
  return markup(`<script type="application/json" id="readings">${json}</script>`)
}

/** The most probable classes of a prediction, the most probable first. */
function topClasses({ classes }: Reading, { probabilities }: Connectivity): [string, number][] {
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b]! - probabilities[a]!)
  return order.slice(0, CLASSES).map(c => [classes[c]!, Number(probabilities[c]!.toFixed(4))])
}

/** Shares of each prediction's strongest, in 255ths, one prediction after the other. */
function quantised(predictions: readonly Connectivity[]): Buffer {
  return Buffer.concat(
    predictions.map(({ strengths }) => {
      const strongest = largest(strengths)
      return Buffer.from(strengths.map(strength => Math.round((255 * strength) / strongest)))
    }),
  )
}

/** Never 0, to divide by. */
function largest(strengths: Float32Array): number {
  return strengths.reduce((most, strength) => Math.max(most, strength), 0) || 1
}

function percent(share: number): string {
  return `${Math.round(100 * share)}%`
}
