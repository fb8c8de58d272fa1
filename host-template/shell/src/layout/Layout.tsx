/** What is around every page: header, navigation, and the fence that keeps a broken page from taking them along. */

import { AppShell, Burger, Group, Text } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { type ReactNode, useEffect, useRef } from "react";
import { Link, Outlet, useLocation } from "react-router";
import { PageBoundary } from "../page-boundary.tsx";
import { placeOf, useSession } from "../session.ts";
import { AccountMenu } from "./AccountMenu.tsx";
import styles from "./layout.module.css";
import { Mark } from "./Mark.tsx";
import { Navigation } from "./Navigation.tsx";
import { SchemeMenu } from "./SchemeMenu.tsx";

/** The name that the served page carries. */
const platformName = document.title;

/** Draws the current page inside the shell. */
export function Layout(): ReactNode {
  const [opened, { toggle, close }] = useDisclosure(false);
  const { pathname } = useLocation();
  const place = placeOf(useSession());
  const main = useNewPage(pathname, close);
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 248, breakpoint: "sm", collapsed: { mobile: !opened } }}
      padding={{ base: "md", sm: "xl" }}
    >
      <a className={styles.skip} href="#main">
        Skip to content
      </a>
      <AppShell.Header className={styles.header}>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap" gap="sm">
          <Group gap="sm" wrap="nowrap" miw={0}>
            <Burger
              opened={opened}
              onClick={toggle}
              hiddenFrom="sm"
              size="sm"
              aria-label={opened ? "Close navigation" : "Open navigation"}
              aria-expanded={opened}
            />
            <Link to="/" className={styles.brand}>
              <Mark />
              <span className={styles.brandName}>{platformName}</span>
            </Link>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Text size="sm" c="dimmed" visibleFrom="sm" truncate maw={320}>
              {place}
            </Text>
            <SchemeMenu />
            <AccountMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar className={styles.navbar}>
        <Navigation />
      </AppShell.Navbar>
      <AppShell.Main className={styles.main} id="main" ref={main} tabIndex={-1}>
        <div className={styles.page}>
          <PageBoundary key={pathname} what="This page">
            <Outlet />
          </PageBoundary>
        </div>
      </AppShell.Main>
    </AppShell>
  );
}

/** On the way to another page: closes the navigation of small screens, scrolls up, and moves the focus to the page. */
function useNewPage(pathname: string, closeNavigation: () => void) {
  const main = useRef<HTMLElement>(null);
  const last = useRef(pathname);
  useEffect(() => {
    if (last.current !== pathname) {
      last.current = pathname;
      closeNavigation();
      window.scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
  }, [pathname, closeNavigation]);
  return main;
}
