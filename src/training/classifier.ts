/** Moved to models; this path serves what still imports it. */
export * from '../models/classifier.js'
