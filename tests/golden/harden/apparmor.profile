# The AppArmor profile of team/shop.slim:1.0.
# State: not loaded here: the kernel has no AppArmor.
# Load it as root: apparmor_parser --replace apparmor.profile
include <tunables/global>

profile slimpy-shop flags=(attach_disconnected,mediate_deleted) {
  # Locales, time zones, the loader's cache, /dev/null and the like: what any dynamically linked
  # program asks for before its own code runs. Of the image's files it opens none for writing.
  include <abstractions/base>

  # Capabilities: none

  # Sockets
  unix,
  network inet,
  network inet6,
  network netlink,

  # Stopping a container: engine and runtime are unconfined, or have profiles of these names.
  signal (receive) peer=unconfined,
  signal (receive) peer=runc,
  signal (receive) peer=crun,
  signal (send, receive) peer=@{profile_name},
  # Reading about each other in /proc is allowed, controlling each other is not.
  ptrace (read, readby) peer=@{profile_name},
  deny ptrace (trace),

  # What an engine puts into every container.
  /etc/{hosts,hostname,resolv.conf,mtab} r,
  /dev/ r,
  /dev/{null,zero,full,random,urandom,tty,console,ptmx} rw,
  /dev/pts/{,**} rw,
  /dev/shm/{,**} rwkl,
  @{PROC}/ r,
  @{PROC}/** r,
  owner @{PROC}/@{pid}/** rw,
  /sys/{,**} r,

  # Programs
  /app/server mrix,

  # Files
  /app/ r,
  /app/libshop.so mr,
  /app/server mr,
  /app/pages/{,**} r,
  /srv/{,**} r,

  # Directories listed
  /app/pages/ r,

  # Writable
  /run/ rw,
  /run/** rwkl,
  /srv/cache/ rw,
  /srv/cache/** rwkl,
  /tmp/ rw,
  /tmp/** rwkl,
  /var/lib/shop/ rw,
  /var/lib/shop/** rwkl,

  # Never, whatever else is allowed: a deny rule goes before all others.
  deny mount,
  deny umount,
  deny pivot_root,
  deny @{PROC}/{kcore,kmem,mem,sysrq-trigger} rwklx,
  deny @{PROC}/{acpi,bus,fs,irq,scsi}/** wklx,
  deny @{PROC}/sys/** wklx,
  deny /sys/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/{debug,security,tracing}/** rwklx,
}
