/**
 * HTML pages about finished runs: one run, or several side by side.
 * @module
 */
export { writeComparison } from './compare.js'
export { writeReport } from './report.js'
