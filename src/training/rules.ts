/** Moved to tasks and models; this path serves what still imports it. */
export * from '../models/pooling.js'
export * from '../tasks/rules.js'
