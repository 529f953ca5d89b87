/**
 * The one entry point of version 0.1, for one version more: everything that `packed-rnn` held then, under the same names. Change
 * `'packed-rnn'` to `'packed-rnn/compat'` in imports, and move to the new entry points before 0.3.
 * @deprecated since 0.2: import from `packed-rnn`, `packed-rnn/text`, `/training`, `/tasks`, `/models`, `/formats`, `/reports` and `/explain`.
 * @module
 */

export * as training from './compat/training.js'
export * as explain from './explain/index.js'
export * from './formats/index.js'
export * from './index.js'
export * as reports from './reports/index.js'
export * as text from './text/index.js'
