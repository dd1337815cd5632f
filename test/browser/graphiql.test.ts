import { mkdir } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestServer, startTestServer } from '../../src/testing.ts';
import { startBrowser } from './browser.ts';

let browser: Browser;
let server: TestServer;
let page: Page;
const complaints: string[] = [];

beforeAll(async () => {
  server = await startTestServer({ demo: true });
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`));
  await page.goto(server.url);
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});

/** For people to look at: `SLIPWAY_TEST_SCREENSHOTS` names a folder. */
async function picture(name: string): Promise<void> {
  const folder = process.env['SLIPWAY_TEST_SCREENSHOTS'];
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}

/** The editor shows only the lines that fit, with spaces that don't break. */
async function answerShows(text: string): Promise<boolean> {
  const found = await page.waitForFunction(
    (wanted) => document.querySelector('.graphiql-response')?.textContent?.replace(/\s/g, ' ').includes(wanted),
    text,
  );
  return (await found.jsonValue()) ?? false;
}

async function run(operation: string): Promise<void> {
  await page.locator('.graphiql-execute-button').click();
  await page.getByRole('menuitem', { name: operation }).click();
}

test('the address of the server leads to GraphiQL, whose first query lists the demo runs', async () => {
  expect(new URL(page.url()).pathname).toBe('/graphiql');
  await run('Runs');
  expect(await answerShows('"totalCount": 6')).toBe(true);
  await picture('runs');
});

test('its subscription shows health over WebSocket', async () => {
  await run('Health');
  expect(await answerShows('"type": "')).toBe(true);
  await picture('health');
});

test('nothing it needs comes from elsewhere, and nothing fails', () => {
  expect(complaints).toEqual([]);
});
