import { type LanguageResults, languageResults } from '../tasks/languageResults.js'
import { type FinishedRun, finishedRun, minutesFor100 } from './finishedRun.js'
import { html } from './html.js'
import { minutes } from './numbers.js'
import { plural, speedFigure, timeFigure } from './plainView.js'
import type { TaskView } from './taskView.js'

type LanguageModelRun = FinishedRun<LanguageResults>

/** What pages show of language models. */
export const languageView: TaskView<LanguageModelRun> = {
  read: directory => finishedRun(directory, languageResults),
  name: ({ results }) => results.preset,
  lead({ results, epochs }) {
    const { tokens, words } = results
    return `Trained on ${plural(tokens.training, 'token')} for ${plural(epochs.length, 'epoch')}; ${plural(words, 'word')}`
  },
  figures: run => [
    { name: 'Perplexity', value: shown(run, 'perplexity', 2), beside: null },
    { name: 'Bits per character', value: shown(run, 'bitsPerCharacter', 3), beside: null },
    { name: 'Unknown', value: `${(100 * run.results.unknown).toFixed(2)} %`, beside: 'of the tested tokens' },
    timeFigure(run),
    speedFigure(run),
  ],
  curves: {
    metrics: {
      loss: { title: 'Loss', about: 'mean cross entropy of a token', mayBeLogarithmic: true },
      perplexity: { title: 'Perplexity', about: 'e to the loss', mayBeLogarithmic: true },
      bits: { title: 'Bits', about: 'of a token', mayBeLogarithmic: false },
    },
    tested: 'validation',
    clipped: null,
  },
  plots: () => [],
  sections: ({ results }) =>
    html`<h2>Samples</h2>${results.samples.map(({ temperature, text }) => {
      return html`<h3>Temperature ${temperature.toFixed(1)}</h3><pre>${text}</pre>`
    })}`,
  comparison: {
    lead: 'Each measure has the same axes for all runs.',
    columns: () => ['run', 'loss', 'perplexity', 'bits per character', 'minutes for 100 epochs'],
    rows(run, name) {
      const cells = [shown(run, 'loss', 4), shown(run, 'perplexity', 2), shown(run, 'bitsPerCharacter', 3)]
      return [{ name, cells: [...cells, minutes(minutesFor100(run.epochs))] }]
    },
    note: () => null,
    heading: '',
    parts: [],
  },
}

function shown({ results }: LanguageModelRun, metric: string, digits: number): string {
  return (results.metrics[metric] ?? Number.NaN).toFixed(digits)
}
