/** The icons that a `plugin.yaml` may name in its navigation. A fixed set: an icon more is a few hundred bytes for everybody. */

import Activity from "lucide-react/icons/activity";
import Archive from "lucide-react/icons/archive";
import Banknote from "lucide-react/icons/banknote";
import Bell from "lucide-react/icons/bell";
import BookOpen from "lucide-react/icons/book-open";
import Boxes from "lucide-react/icons/boxes";
import Briefcase from "lucide-react/icons/briefcase";
import Building from "lucide-react/icons/building";
import Building2 from "lucide-react/icons/building-2";
import Calendar from "lucide-react/icons/calendar";
import ChartBar from "lucide-react/icons/chart-bar";
import ChartLine from "lucide-react/icons/chart-line";
import ChartPie from "lucide-react/icons/chart-pie";
import CircleCheck from "lucide-react/icons/circle-check";
import ClipboardList from "lucide-react/icons/clipboard-list";
import Clock from "lucide-react/icons/clock";
import CreditCard from "lucide-react/icons/credit-card";
import Database from "lucide-react/icons/database";
import DollarSign from "lucide-react/icons/dollar-sign";
import Factory from "lucide-react/icons/factory";
import FileText from "lucide-react/icons/file-text";
import Flag from "lucide-react/icons/flag";
import FlaskConical from "lucide-react/icons/flask-conical";
import Folder from "lucide-react/icons/folder";
import Gauge from "lucide-react/icons/gauge";
import Globe from "lucide-react/icons/globe";
import GraduationCap from "lucide-react/icons/graduation-cap";
import Handshake from "lucide-react/icons/handshake";
import HeartPulse from "lucide-react/icons/heart-pulse";
import Hospital from "lucide-react/icons/hospital";
import House from "lucide-react/icons/house";
import Inbox from "lucide-react/icons/inbox";
import Key from "lucide-react/icons/key";
import Layers from "lucide-react/icons/layers";
import LayoutDashboard from "lucide-react/icons/layout-dashboard";
import Leaf from "lucide-react/icons/leaf";
import List from "lucide-react/icons/list";
import Mail from "lucide-react/icons/mail";
import MapPin from "lucide-react/icons/map-pin";
import MessageSquare from "lucide-react/icons/message-square";
import Package from "lucide-react/icons/package";
import Phone from "lucide-react/icons/phone";
import Puzzle from "lucide-react/icons/puzzle";
import Receipt from "lucide-react/icons/receipt";
import Search from "lucide-react/icons/search";
import Settings from "lucide-react/icons/settings";
import Shield from "lucide-react/icons/shield";
import ShoppingCart from "lucide-react/icons/shopping-cart";
import Star from "lucide-react/icons/star";
import Stethoscope from "lucide-react/icons/stethoscope";
import Tag from "lucide-react/icons/tag";
import TrendingUp from "lucide-react/icons/trending-up";
import Truck from "lucide-react/icons/truck";
import User from "lucide-react/icons/user";
import Users from "lucide-react/icons/users";
import Wallet from "lucide-react/icons/wallet";
import Workflow from "lucide-react/icons/workflow";
import Wrench from "lucide-react/icons/wrench";
import type { ComponentType, ReactNode } from "react";

interface GlyphProps {
  readonly size?: number;
  readonly "aria-hidden"?: "true";
}

const ICONS: Readonly<Record<string, ComponentType<GlyphProps>>> = {
  activity: Activity,
  archive: Archive,
  banknote: Banknote,
  bell: Bell,
  "book-open": BookOpen,
  boxes: Boxes,
  briefcase: Briefcase,
  building: Building,
  "building-2": Building2,
  calendar: Calendar,
  "chart-bar": ChartBar,
  "chart-line": ChartLine,
  "chart-pie": ChartPie,
  "circle-check": CircleCheck,
  "clipboard-list": ClipboardList,
  clock: Clock,
  "credit-card": CreditCard,
  database: Database,
  "dollar-sign": DollarSign,
  factory: Factory,
  "file-text": FileText,
  flag: Flag,
  "flask-conical": FlaskConical,
  folder: Folder,
  gauge: Gauge,
  globe: Globe,
  "graduation-cap": GraduationCap,
  handshake: Handshake,
  "heart-pulse": HeartPulse,
  hospital: Hospital,
  house: House,
  inbox: Inbox,
  key: Key,
  layers: Layers,
  "layout-dashboard": LayoutDashboard,
  leaf: Leaf,
  list: List,
  mail: Mail,
  "map-pin": MapPin,
  "message-square": MessageSquare,
  package: Package,
  phone: Phone,
  puzzle: Puzzle,
  receipt: Receipt,
  search: Search,
  settings: Settings,
  shield: Shield,
  "shopping-cart": ShoppingCart,
  star: Star,
  stethoscope: Stethoscope,
  tag: Tag,
  "trending-up": TrendingUp,
  truck: Truck,
  user: User,
  users: Users,
  wallet: Wallet,
  workflow: Workflow,
  wrench: Wrench,
};

/** The names, for documentation and error messages. */
export const iconNames: readonly string[] = Object.keys(ICONS);

/** The icon of a name, a puzzle piece for any other. */
export function Icon({ name, size = 18 }: { readonly name: string; readonly size?: number }): ReactNode {
  const Glyph = (Object.hasOwn(ICONS, name) ? ICONS[name] : undefined) ?? Puzzle;
  return <Glyph size={size} aria-hidden="true" />;
}
