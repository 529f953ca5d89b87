import type { FinishedRun } from './finishedRun.js'
import type { Content } from './html.js'
import type { CurveStyle } from './measures.js'

/** A number at the top of a report, and what it is compared with. */
export interface Figure {
  name: string
  value: string
  beside: string | null
}

/** A row of the table that a comparison begins with. Cells with `quiet` are grey. */
export interface GlanceRow {
  name: string
  cells: (string | { quiet: string })[]
}

/** A part of a comparison: a plot or a table of each run, side by side. */
export interface ComparedPart<Run> {
  heading: string
  /** @param name the run's name in the comparison */
  show(run: Run, name: string): Content
  /** Whether it needs more width than a plot. */
  isWide: boolean
}

/**
 * What pages show of a task's runs. Each page has curves of all metrics, settings and machine; a task adds what only it can
 * draw. Everything comes from a run's records, so a page can be drawn again.
 */
export interface TaskView<Run extends FinishedRun = FinishedRun> {
  /** Reads a run. @throws PackedRnnError (rejects) as `readRecords`. */
  read(directory: string): Promise<Run>
  /** The heading of a run's page; in a comparison it is next to the directory's name. */
  name(run: Run): string
  /** A sentence about the model and its data. */
  lead(run: Run): string
  /** The numbers at the top. */
  figures(run: Run): Figure[]
  readonly curves: CurveStyle
  /** Plots beside the curves. */
  plots(run: Run): Content[]
  /** Sections between training and settings, each with its `<h2>`. */
  sections(run: Run): Content
  readonly comparison: Comparison<Run>
}

/** What a comparison of a task's runs shows. */
export interface Comparison<Run> {
  /** A sentence below the heading. */
  readonly lead: string
  /** The columns of the first table. */
  columns(runs: readonly Run[]): string[]
  /** The rows of a run in it, by its columns. */
  rows(run: Run, name: string, columns: readonly string[]): GlanceRow[]
  /** What is to be said of a run below the table. */
  note(run: Run): string | null
  /** The heading of `parts`. */
  readonly heading: string
  readonly parts: readonly ComparedPart<Run>[]
}
