import { choiceOption } from './options.js'

/** How CSV files of articles are read. */
export const dialectOption = choiceOption(
  'csv (default), or notebook: lines cut at their first ;, quotes left as they are',
  ['csv', 'notebook'],
)
