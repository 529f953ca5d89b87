import { type Preset, presets } from '../models/presets.js'
import { confusionMatrix } from '../tasks/classificationMetrics.js'
import type { Mistake } from '../tasks/classificationResults.js'
import { type ClassifiedRun, classifiedRun, comparable } from './classifiedRun.js'
import { classBars, confusionPlot } from './classPlots.js'
import { minutesFor100 } from './finishedRun.js'
import { type Content, html } from './html.js'
import { lengthPlot } from './lengthPlot.js'
import { minutes, score } from './numbers.js'
import { figure } from './page.js'
import { plural, speedFigure, timeFigure } from './plainView.js'
import { scoreTable } from './scoreTable.js'
import type { Comparison, Figure, TaskView } from './taskView.js'

/** A comparison of classifiers: scores, confusions and reports, and the course notebook's figures beside them. */
const comparison: Comparison<ClassifiedRun> = {
  lead: 'Each measure has the same axes for all runs. The notebook’s figures are in grey, beside runs on the notebook’s articles.',
  columns: () => ['run', 'accuracy', 'macro F1', 'weighted F1', 'minutes for 100 epochs'],
  rows(run, name) {
    const { accuracy, macro, weighted } = run.metrics
    const scores = [accuracy, macro.f1, weighted.f1].map(score)
    const row = { name, cells: [...scores, minutes(minutesFor100(run.epochs))] }
    const notebook = comparable(run)
    if (notebook === null) return [row]
    const printed = [notebook.accuracy, notebook.macro[2], notebook.weighted[2]].map(score)
    const quiet = [...printed, `~${notebook.minutes}`].map(text => ({ quiet: text }))
    return [row, { name: 'the notebook', cells: quiet }]
  },
  note: ({ notComparable }) => notComparable,
  heading: 'Test documents',
  parts: [
    {
      heading: 'Scores by category',
      show: (run, name) => figure(name, run.results.preset, classBars(run.metrics.perClass, comparable(run))),
      isWide: false,
    },
    {
      heading: 'Confusion matrices',
      show: (run, name) =>
        figure(name, run.results.preset, confusionPlot(matrixOf(run), run.results.classes)),
      isWide: false,
    },
    {
      heading: 'Classification reports',
      show: (run, name) =>
        html`<figure><figcaption><b>${name}</b>${run.results.preset}</figcaption>${scoreTable(run, comparable(run))}</figure>`,
      isWide: true,
    },
  ],
}

/** What pages show of classifiers. */
export const classificationView: TaskView<ClassifiedRun> = {
  read: classifiedRun,
  name: ({ results }) => results.preset,
  lead,
  figures,
  curves: {
    metrics: {
      loss: { title: 'Loss', about: 'mean cross entropy', mayBeLogarithmic: true },
      accuracy: {
        title: 'Accuracy',
        about: 'share of documents classified correctly',
        domain: [0, 1],
        mayBeLogarithmic: false,
      },
    },
    tested: 'test',
    clipped: 'the LSTM',
  },
  plots: ({ results }) => [figure('Length', 'tokens of a document', lengthPlot(results.lengths))],
  sections: run => [
    html`<h2>Test documents</h2>${note(run.notComparable)}${classes(run)}`,
    html`<h2>The most confident mistakes</h2>${mistakes(run.results.mistakes)}`,
  ],
  comparison,
}

/** A sentence about the model and its data. */
function lead({ results, epochs }: ClassifiedRun): string {
  const { hiddenSize, numLayers, bidirectional }: Preset = presets[results.preset]
  const layers = `${numLayers === 1 ? 'one layer' : `${numLayers} layers`} of ${hiddenSize} units`
  const { training, test } = results.lengths
  return (
    `LSTM, ${layers}${bidirectional ? ' in both directions' : ''}, trained on ${training.length.toLocaleString('en')} ` +
    `documents for ${plural(epochs.length, 'epoch')}; ${test.length.toLocaleString('en')} test documents in ` +
    `${results.classes.length} categories; ${plural(results.vocabularySize, 'word')}`
  )
}

function figures(run: ClassifiedRun): Figure[] {
  const { results, metrics } = run
  const notebook = comparable(run)
  const beside = (value: number | undefined) => (value === undefined ? null : `the notebook: ${score(value)}`)
  return [
    { name: 'Accuracy', value: score(metrics.accuracy), beside: beside(notebook?.accuracy) },
    { name: 'Macro F1', value: score(metrics.macro.f1), beside: beside(notebook?.macro[2]) },
    { name: 'Test loss', value: results.test.loss.toFixed(3), beside: null },
    timeFigure(run, notebook === null ? '' : `; the notebook: about ${notebook.minutes}`),
    speedFigure(run),
  ]
}

function note(text: string | null): Content {
  return text === null ? null : html`<p class="note">${text}</p>`
}

function matrixOf({ results: { classes, test } }: ClassifiedRun): number[][] {
  return confusionMatrix(test.truth, test.predicted, classes.length)
}

function classes(run: ClassifiedRun): Content {
  const { results, metrics, notebook } = run
  // The note above the tables says how the documents differ.
  const whose = `the notebook’s${run.notComparable === null ? '' : ', of other documents'}`
  const bars = notebook === null ? 'of this run' : `bars: this run; lines: ${whose}`
  const report = notebook === null ? 'on the test documents' : `this run; in grey: ${whose}`
  return html`<div class="plots test">${[
    figure(
      'Confusion matrix',
      'rows: true category; columns: predicted category',
      confusionPlot(matrixOf(run), results.classes),
    ),
    figure('Scores by category', bars, classBars(metrics.perClass, notebook)),
    html`<figure><figcaption><b>Classification report</b>${report}</figcaption>${scoreTable(run, notebook)}</figure>`,
  ]}</div>`
}

/** Characters of a document that are shown initially. */
const EXCERPT = 320

function mistakes(found: readonly Mistake[]): Content {
  if (found.length === 0) return html`<p>None: every test document is classified correctly.</p>`
  return html`<ol class="mistakes">${found.map(
    ({ document, text, truth, predicted, probability }) =>
      html`<li><b>${predicted}</b> with ${percent(probability)}, correct: <b>${truth}</b> <span class="quiet">· test document ${document + 1}</span>
<blockquote>${excerpt(text)}</blockquote></li>`,
  )}</ol>`
}

function excerpt(text: string): Content {
  const letters = [...text]
  if (letters.length <= 1.2 * EXCERPT) return text
  const cut = letters
    .slice(0, EXCERPT)
    .join('')
    .replace(/\s\S*$/, '')
  return html`${cut}\u00a0…<details><summary>full text</summary>${text}</details>`
}

/** Formats a share; shares that would round up to 100.0 % are shown as more than 99.9 %. */
function percent(share: number): string {
  return share < 1 && share >= 0.9995 ? 'more than 99.9 %' : `${(100 * share).toFixed(1)} %`
}
