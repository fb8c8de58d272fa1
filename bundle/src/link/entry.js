import "hub:load";
import "hub:shell";
