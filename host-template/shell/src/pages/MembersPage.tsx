/** Who is in the organisation, what they may do, and in which tenants they work. */

import { Badge, Tabs } from "@mantine/core";
import { useResource } from "@platform/plugin-host";
import { Page, ResourceView } from "@platform/plugin-host/ui";
import { type ReactNode, useState } from "react";
import { useSearchParams } from "react-router";
import type { Invitation, Invited } from "../invitations.ts";
import { knownTenants, type Member, type MemberGroup, type PermissionInfo } from "../members.ts";
import { useReloadOnNews, useSession } from "../session.ts";
import { GroupList } from "./GroupList.tsx";
import { InvitationList, InvitedDialog } from "./InvitationList.tsx";
import { MemberList } from "./MemberList.tsx";
import { TenantList } from "./TenantList.tsx";

const TABS = ["members", "invitations", "groups", "tenants"] as const;

/** Four lists, of which the address names the one that is shown. */
export default function MembersPage(): ReactNode {
  const session = useSession();
  const members = useResource<readonly Member[]>("/api/members");
  const groups = useResource<readonly MemberGroup[]>("/api/groups");
  const permissions = useResource<readonly PermissionInfo[]>("/api/permissions");
  const invitations = useResource<readonly Invitation[]>("/api/invitations");
  const [invited, setInvited] = useState<Invited | undefined>();
  const [params, setParams] = useSearchParams();
  const tab = TABS.find((name) => name === params.get("tab")) ?? "members";
  const reload = () => {
    members.reload();
    groups.reload();
    invitations.reload();
  };
  useReloadOnNews(members.reload);
  useReloadOnNews(groups.reload);
  useReloadOnNews(invitations.reload);
  useReloadOnNews(permissions.reload);

  const tenants = knownTenants(session.tenants, members.data ?? []);
  const count = (number: number | undefined) =>
    number === undefined ? null : (
      <Badge variant="light" color="gray" size="sm" visibleFrom="xs">
        {number}
      </Badge>
    );
  return (
    <Page title="Members" description={`Who works in ${session.org.name}, in which tenants, and what they may do.`}>
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(next) => setParams(next === null || next === "members" ? {} : { tab: next }, { replace: true })}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="members" rightSection={count(members.data?.length)}>
            Members
          </Tabs.Tab>
          <Tabs.Tab value="invitations" rightSection={count(invitations.data?.length)}>
            Invitations
          </Tabs.Tab>
          <Tabs.Tab value="groups" rightSection={count(groups.data?.length)}>
            Groups
          </Tabs.Tab>
          <Tabs.Tab value="tenants" rightSection={count(members.data === undefined ? undefined : tenants.length)}>
            Tenants
          </Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="members">
          <ResourceView resource={members} what="the members">
            {(all) => (
              <MemberList members={all} groups={groups.data ?? []} tenants={tenants} onChanged={reload} onInvited={setInvited} />
            )}
          </ResourceView>
        </Tabs.Panel>
        <Tabs.Panel value="invitations">
          <ResourceView resource={invitations} what="the invitations">
            {(all) => <InvitationList invitations={all} onChanged={reload} onInvited={setInvited} />}
          </ResourceView>
        </Tabs.Panel>
        <Tabs.Panel value="groups">
          <ResourceView resource={groups} what="the groups">
            {(all) => <GroupList groups={all} permissions={permissions.data ?? []} onChanged={reload} />}
          </ResourceView>
        </Tabs.Panel>
        <Tabs.Panel value="tenants">
          <ResourceView resource={members} what="the tenants">
            {(all) => <TenantList tenants={tenants} members={all} onChanged={reload} />}
          </ResourceView>
        </Tabs.Panel>
      </Tabs>
      <InvitedDialog invited={invited} onClose={() => setInvited(undefined)} />
    </Page>
  );
}
