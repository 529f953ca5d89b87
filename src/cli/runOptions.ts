import { poolingName } from '../models/pooling.js'
import { presetName, presets } from '../models/presets.js'
import { tokenizerName } from '../tasks/classifierRun.js'
import { loops, modes } from '../tasks/rules.js'
import { dialectOption } from './articleOptions.js'
import { jsonOption } from './jsonFile.js'
import {
  choiceOption,
  fileOption,
  integerOption,
  type OptionTable,
  parsedOption,
  switchOption,
  textOption,
} from './options.js'
import { directoryOptions, loopOptions } from './taskOptions.js'
import { vectorOptions } from './vectors.js'

/** The options of `train` and `experiments`, each described once. */

const { epochs, batchSize } = presets['lstm64-adam']

/** Of any run of the classification task. */
export const runOptions = {
  train: fileOption("articles in 10kGNAD's format, plain or .gz; without them, invented ones"),
  test: fileOption('articles to test on, in the same format'),
  dialect: dialectOption,
  tokenizer: parsedOption(
    'NAME',
    'whitespace (default), or words: letters and digits apart from punctuation',
    tokenizerName,
  ),
  ...vectorOptions,
  unk: choiceOption(
    'words without a vector get uniform random numbers (default), zero, or the mean',
    ['uniform', 'zero', 'mean'],
    { needs: 'vectors' },
  ),
  padding: choiceOption(
    'shared (default): row 0 of the embedding is padding and unknown words, as in the\n' +
      'notebook; own: row 1 is kept for padding',
    ['shared', 'own'],
  ),
  mode: choiceOption('fixed (default), or notebook: every quirk of the course notebook', modes),
  pooling: parsedOption(
    'NAME',
    "final (default), notebook-last (the notebook mode's), max, mean, or concat",
    poolingName,
  ),
  epochs: integerOption(`default the preset's ${epochs}; on invented articles 10`, 1),
  'batch-size': integerOption(
    `default the preset's ${batchSize}; on invented articles, and by document, 64`,
    1,
  ),
  'max-tokens': integerOption('the most tokens of a batch of several articles', 1),
  'drop-last': switchOption('leaves out the articles that do not fill a last batch'),
  'evaluate-every': integerOption('tests the model after every N epochs; default 1; 0: only at the end', 0),
  ...loopOptions,
  progress: choiceOption('bar (default), or notebook: the lines that the notebook prints', [
    'bar',
    'notebook',
  ]),
} as const

/** Of `train` for the classification task. */
export const trainTable = {
  task: textOption('NAME', 'what is trained; default classification'),
  preset: parsedOption('NAME', `${Object.keys(presets).join(', ')}; default lstm64-adam`, presetName),
  format: choiceOption(
    'gnad (default), or omp: labelled posts of the One Million Posts Corpus,\n' +
      'category,value,fold,headline,body, plain or .gz',
    ['gnad', 'omp'],
  ),
  category: textOption('NAME', 'of the posts: PersonalStories, PossiblyFeedback, …'),
  fold: integerOption('the fold to test on; default: every fold in turn, each in a separate directory', 1),
  loop: choiceOption('batched (default), or document: a step every 64 articles', loops),
  ...runOptions,
  ...directoryOptions,
  json: jsonOption,
} as const

/** Of `experiments`. */
export const experimentsTable = {
  ...runOptions,
  mode: choiceOption('notebook (default): every quirk of the course notebook; or fixed', modes),
  out: textOption(
    'DIR',
    'where to write, a folder for each preset and compare.html; default\nruns/experiments, date and time',
  ),
  resume: textOption('DIR', 'resumes the runs in DIR, with their options'),
} as const satisfies OptionTable
