import * as v from 'valibot'
import { badFile } from '../errors.js'

/** A number; JSON has no NaN and no infinity, and `JSON.stringify` writes null for them, which is read as NaN. */
export const jsonNumber = v.pipe(
  v.nullable(v.number()),
  v.transform(value => value ?? Number.NaN),
)

/**
 * JSON of a file, or of a line of it, that is what a schema says.
 * @throws PackedRnnError ERR_FILE_FORMAT naming the place, and the field that is wrong.
 */
export function parseJson<T>(
  schema: v.GenericSchema<unknown, T>,
  text: string,
  file: string,
  line: number | null = null,
): T {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw badFile(file, line, 'JSON', 'something else')
  }
  const { success, output, issues } = v.safeParse(schema, value)
  if (success) return output
  const [issue] = issues
  const path = v.getDotPath(issue)
  const place = path === null ? '' : ` in ${path}`
  throw badFile(file, line, `${issue.expected ?? issue.message}${place}`, issue.received)
}
