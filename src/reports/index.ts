/**
 * Pages about runs that are over: one run's, and some side by side.
 * @module
 */
export { writeComparison } from './compare.js'
export { writeReport } from './report.js'
