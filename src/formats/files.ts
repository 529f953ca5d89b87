import { randomBytes } from 'node:crypto'
import { open, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Writes a file so that its name always holds the old content or the new, never a part: the bytes go to a temporary
 * name in the same directory, reach the disk, and then take the name.
 *
 * @param file the path; a file that is there is replaced
 * @throws the file system's own error (`ENOENT`, `ENOSPC`, …); the temporary file is then gone and the old file whole
 */
export async function atomicWrite(file: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  const handle = await open(temporary, 'wx')
  try {
    try {
      await handle.writeFile(bytes)
      // Without it a crash soon after the rename can leave the new name with no content behind it.
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Removes what an `atomicWrite` of a process that was killed left in a directory. */
export async function removeTemporaries(directory: string): Promise<void> {
  const names = await readdir(directory)
  const left = names.filter(name => /\.[0-9a-f]{12}\.tmp$/.test(name))
  await Promise.all(left.map(name => rm(join(directory, name), { force: true })))
}
