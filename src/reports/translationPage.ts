import {
  type AlignedSentence,
  type TranslationResults,
  translationResults,
} from '../tasks/translationResults.js'
import { alignmentPlot, bleuByLength } from './alignmentPlot.js'
import { type FinishedRun, finishedRun, minutesFor100 } from './finishedRun.js'
import { type Content, html } from './html.js'
import { minutes } from './numbers.js'
import { figure } from './page.js'
import { plural, speedFigure, timeFigure } from './plainView.js'
import type { TaskView } from './taskView.js'

type TranslatedRun = FinishedRun<TranslationResults>

/** What pages show of translation models. */
export const translationView: TaskView<TranslatedRun> = {
  read: directory => finishedRun(directory, translationResults),
  name: ({ results }) => results.preset,
  lead,
  figures: run => {
    const { bleu = Number.NaN, chrf = Number.NaN, perplexity = Number.NaN } = run.results.metrics
    return [
      { name: 'BLEU', value: bleu.toFixed(1), beside: null },
      { name: 'chrF', value: chrf.toFixed(1), beside: null },
      { name: 'Perplexity', value: perplexity.toFixed(2), beside: null },
      timeFigure(run),
      speedFigure(run),
    ]
  },
  curves: {
    metrics: {
      loss: { title: 'Loss', about: 'mean cross entropy of a word', mayBeLogarithmic: true },
      bleu: { title: 'BLEU', about: 'greedy, of the validation pairs', mayBeLogarithmic: false },
    },
    tested: 'validation',
    clipped: null,
  },
  plots: ({ results: { sentences } }) => [
    figure('BLEU by length', 'mean of sentences, by words of the source', bleuByLength(sentences)),
  ],
  sections: ({ results }) => [
    html`<h2>The best translations</h2>${alignments(results.best)}`,
    html`<h2>The worst translations</h2>${alignments(results.worst)}`,
    html`<p class="note quiet">${results.signatures.bleu}; ${results.signatures.chrf}</p>`,
  ],
  comparison: {
    lead: 'Each measure has the same axes for all runs.',
    columns: () => ['run', 'BLEU', 'chrF', 'exact match', 'perplexity', 'minutes for 100 epochs'],
    rows(run, name) {
      const { bleu, chrf, exact, perplexity } = run.results.metrics
      const shown = [bleu, chrf, exact, perplexity].map(value => (value ?? Number.NaN).toFixed(2))
      return [{ name, cells: [...shown, minutes(minutesFor100(run.epochs))] }]
    },
    note: () => null,
    heading: 'Translations',
    parts: [
      {
        heading: 'BLEU by length',
        show: ({ results }, name) => figure(name, results.preset, bleuByLength(results.sentences)),
        isWide: false,
      },
    ],
  },
}

/** A sentence about the model and its data. */
function lead({ results, epochs }: TranslatedRun): string {
  const { words, pairs } = results
  return (
    `Trained on ${plural(pairs.training, 'sentence pair')} for ${plural(epochs.length, 'epoch')}; ` +
    `${plural(words.source, 'word')} of the source, ${plural(words.target, 'word')} of the target`
  )
}

function alignments(sentences: readonly AlignedSentence[]): Content {
  if (sentences.length === 0) return html`<p>None.</p>`
  return html`<div class="plots">${sentences.map(({ source, translation, reference, bleu, weights }) => {
    const about = `reference: ${reference}`
    if (weights !== null) {
      return figure(`BLEU ${bleu.toFixed(1)}`, about, alignmentPlot({ source, translation, weights }))
    }
    const texts = html`<p>${source.join(' ')}</p><p>${translation.join(' ')}</p>`
    return html`<figure><figcaption><b>BLEU ${bleu.toFixed(1)}</b>${about}</figcaption>${texts}</figure>`
  })}</div>`
}
