// Imports the modules named on the command line one after the other. Prints as JSON what each of them logged, and the error
// that it ended with or null.
import { pathToFileURL } from 'node:url'
import { format } from 'node:util'

const results = []
for (const file of process.argv.slice(2)) {
  const lines = []
  console.log = (...values) => lines.push(format(...values))
  let failure = null
  try {
    await import(pathToFileURL(file).href)
  } catch (error) {
    failure = `${error?.stack ?? error}`
  }
  results.push({ output: lines.join('\n'), failure })
}
process.stdout.write(JSON.stringify(results))
