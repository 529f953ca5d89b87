import { taskOfResults } from '../training/records.js'
import { plainView } from './plainView.js'
import type { TaskView } from './taskView.js'

/** By task. They are imported when a page is drawn, so that importing the package does not load the plotting libraries. */
const views: Readonly<Record<string, () => Promise<TaskView>>> = {
  classification: async () => (await import('./classificationPage.js')).classificationView,
  'language-model': async () => (await import('./languagePage.js')).languageView,
  translation: async () => (await import('./translationPage.js')).translationView,
}

/**
 * What pages show of the run in a directory. A task without a view has pages with what every run has.
 * @throws PackedRnnError (rejects) as `taskOfResults`.
 */
export async function viewOfRun(directory: string): Promise<TaskView> {
  const task = await taskOfResults(directory)
  return Object.hasOwn(views, task) ? views[task]!() : plainView(task)
}
