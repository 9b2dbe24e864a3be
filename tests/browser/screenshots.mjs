// Pictures of a page as different people see it.
import { mkdirSync } from 'node:fs';
import path from 'node:path';

const LOOKS = [
  { name: 'light', colorScheme: 'light', width: 1000 },
  { name: 'dark', colorScheme: 'dark', width: 1000 },
  { name: '360', colorScheme: 'light', width: 360 },
];

/** A function that takes all of a page's pictures under `folder/subject-MOMENT-LOOK.png`; none without a folder. */
export function screenshots(page, folder, subject) {
  if (!folder) return async () => {};
  mkdirSync(folder, { recursive: true });
  return async (moment) => {
    const usual = page.viewportSize();
    for (const { name, colorScheme, width } of LOOKS) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: usual.height });
      await page.screenshot({ path: path.join(folder, `${subject}-${moment}-${name}.png`), fullPage: true });
    }
    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize(usual);
  };
}
